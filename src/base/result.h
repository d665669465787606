// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error with context. Everything that can fail for a reason outside the
// program returns one; TRY unwraps it or returns the error to the caller.
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace waggle {

// code is an errno value, or 0 where there is none.
struct Error {
    int code = 0;
    std::string message;

    // Puts what the caller was doing in front of the message.
    Error&& context(std::string_view what) && {
        message = std::string(what) + ": " + message;
        return std::move(*this);
    }
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message, int code = 0) {
    return std::unexpected(Error{.code = code, .message = std::move(message)});
}

// An error from errno (or the negative return value of a libbpf call, given as a positive code).
inline std::unexpected<Error> fail_errno(std::string_view what, int code = errno) {
    return fail(std::string(what) + ": " + std::strerror(code), code);
}

inline Result<void> ok() { return {}; }

// Of descriptors or memory, in this process or in the system: the same may well work a while later.
inline bool is_shortage(int code) { return code == EMFILE || code == ENFILE || code == ENOMEM || code == ENOBUFS; }

}  // namespace waggle

#define TRY(expression)                                             \
    ({                                                              \
        auto try_result_ = (expression);                            \
        if (!try_result_) [[unlikely]]                              \
            return std::unexpected(std::move(try_result_.error())); \
        std::move(try_result_).value();                             \
    })
