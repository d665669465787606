// SPDX-License-Identifier: Apache-2.0
// Any bytes as an executable: every question has an answer, and none reads beyond the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "elf/boringssl.h"
#include "elf/go_build_info.h"
#include "elf/go_functions.h"
#include "elf/image.h"
#include "elf/own_names.h"

namespace {

void ask(const waggle::elf::Image& image, size_t size) {
    for (const waggle::elf::Section& section : image.sections()) {
        const auto bytes = image.read(section.offset, section.size);
        if (bytes && (section.size > size || section.offset > size - section.size)) std::abort();
        image.section_contains(section.name, "/rustc/", 4096);
        image.read_address(section.address, section.size);
    }
    if (image.needed().size() > 512) std::abort();
    image.has_symbol_prefix("JVM_");
    image.has_symbol_containing("rust_panic");
    waggle::elf::read_go_build_info(image);
    static constexpr std::string_view kNames[] = {"main.main"};
    if (const auto functions = waggle::elf::find_go_functions(image, kNames))
        for (const waggle::elf::Function& function : *functions)
            if (!image.read_address(function.address, 1)) std::abort();
    static constexpr std::string_view kOwnNames[] = {"SSL_read", ">ssl_read_internal", "#208", ">#523"};
    for (const waggle::elf::Function& function :
         waggle::elf::find_own_named(image, {.file = "ssl/ssl_lib.c", .names = kOwnNames}))
        if (!image.read_address(function.address, function.size)) std::abort();
    static constexpr std::string_view kReadAndWrite[] = {"SSL_read", "SSL_write", "SSL_new"};
    if (const auto functions = waggle::elf::find_in_boringssl(image, "ssl/ssl_lib.cc", kReadAndWrite))
        for (const waggle::elf::Function& function : *functions)
            if (!image.read_address(function.address, function.size)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const int file = ::memfd_create("image", MFD_CLOEXEC);
    static const std::string path = "/proc/self/fd/" + std::to_string(file);
    if (::ftruncate(file, 0) != 0) return 0;
    if (::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
    if (const auto image = waggle::elf::Image::open(path)) ask(*image, size);
    return 0;
}
