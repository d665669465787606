// SPDX-License-Identifier: Apache-2.0
// TLS libraries: one row each, with the functions by which programs give them plaintext and get it.
#pragma once

#include <span>
#include <string_view>

#include "bpf/abi/tls.h"

namespace waggle::sensors {

struct TlsFunction {
    std::string_view symbol;
    wg_tls_site site;          // what its entry means, or with `is_result`, its result
    bool is_result = false;    // only the result counts
    bool is_optional = false;  // the library is read without it
    bool is_fallback = false;  // for where a session's begin is not known by rows before
};

struct TlsLibrary {
    std::string_view name;
    std::span<const TlsFunction> functions;
    bool is_go = false;  // linked into a Go program, which need not have symbols
    // Linked into a program that has no symbols left: its functions are told by what they call themselves when they
    // report errors in this source file (elf/own_names.h); of several such rows the first is taken that is there.
    // Empty: by symbols.
    std::string_view own_file = {};
    bool gives_reasons = false;  // … not by names, but by reasons and calls (elf/boringssl.h)
    bool is_by_code() const { return !own_file.empty(); }
};

std::span<const TlsLibrary> tls_libraries();

// The first arguments that a probe at this kind of site reads.
unsigned arguments_of(wg_tls_site site);
// After these the result is read as well.
bool has_result(wg_tls_site site);
// The place that says so.
wg_tls_site leave_of(wg_tls_site site);
bool is_go(wg_tls_site site);

}  // namespace waggle::sensors
