// SPDX-License-Identifier: Apache-2.0
#include "http/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "http/quality.h"

namespace waggle::http {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's way to say gzip

z_stream stream_of(std::string_view data) {
    z_stream stream{};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    return stream;
}

}  // namespace

std::string gzip(std::string_view data) {
    z_stream stream = stream_of(data);
    // Level 1: a scrape or an export is made on a busy machine, and text shrinks tenfold anyway.
    ::deflateInit2(&stream, 1, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY);
    std::string out(::deflateBound(&stream, data.size()), '\0');
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    ::deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    ::deflateEnd(&stream);
    return out;
}

Result<std::string> gunzip(std::string_view data, std::size_t max_bytes) {
    z_stream stream = stream_of(data);
    if (::inflateInit2(&stream, kGzipWindow) != Z_OK) return fail("gunzip: no memory");
    std::string out;
    int state = Z_OK;
    while (state == Z_OK && out.size() < max_bytes) {
        const std::size_t from = out.size();
        out.resize(std::min(max_bytes, from + 64 * 1024));
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + from);
        stream.avail_out = static_cast<uInt>(out.size() - from);
        state = ::inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);
        if (state == Z_BUF_ERROR) break;
    }
    ::inflateEnd(&stream);
    if (state != Z_STREAM_END) return fail("gunzip: damaged, cut off or too large");
    return out;
}

bool accepts_gzip(std::string_view accept_encoding) {
    for (const Weighted& item : parse_weighted(accept_encoding))
        if (equals_ignoring_case(item.value, "gzip")) return item.quality > 0;
    return false;
}

}  // namespace waggle::http
