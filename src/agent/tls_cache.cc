// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "base/fd.h"
#include "sensors/tls_library.h"

namespace waggle::agent {
namespace {

constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kMaxSize = 256u << 10;
constexpr std::size_t kMaxBuildId = 64;
constexpr std::size_t kCode = 8;  // bytes of a place that are compared
constexpr std::string_view kSum = "sum ";

std::uint64_t hash(std::string_view bytes, std::uint64_t sum = 0xcbf29ce484222325) {
    for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    return sum;
}

// Of what is looked for, so that another table's results are not taken for this one's.
std::uint64_t version() {
    std::uint64_t sum = hash("waggle", kFormat);
    for (const sensors::TlsLibrary& library : sensors::tls_libraries())
        for (const sensors::TlsFunction& row : library.functions)
            sum = hash(
                fmt::format("{} {} {} {} {} {} {} {}\n", library.name, row.symbol, static_cast<std::uint64_t>(row.site),
                            row.is_result, row.is_optional, row.is_fallback, library.own_file, library.gives_reasons),
                sum);
    return sum;
}

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
}

std::string code_at(const elf::Image& image, std::uint64_t offset) {
    const auto bytes = image.read(offset, kCode);
    return bytes ? hex(*bytes) : std::string();
}

bool is_own_and_closed(int fd, mode_t type) {
    struct ::stat status{};
    return ::fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == type && status.st_uid == ::geteuid() &&
           (status.st_mode & 077) == 0;
}

std::string read_all(int fd) {
    std::string bytes(kMaxSize + 1, '\0');
    std::size_t size = 0;
    while (size < bytes.size()) {
        const ::ssize_t got = ::read(fd, bytes.data() + size, bytes.size() - size);
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    bytes.resize(size);
    return size > kMaxSize ? std::string() : bytes;
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ::ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
}

std::string header_of(const TlsCache::Key& key) {
    return fmt::format("waggle-tls {:x} {} {} {} {} {}\n", version(), key.build_id, key.size, key.modified_ns,
                       key.has_looked_at_code, key.has_shadow_stacks);
}

std::string serialise(const TlsCache::Key& key, const elf::Image& image, const TlsFile& file) {
    std::string text = header_of(key);
    text += fmt::format("library {}\nfailure {}\n", file.library, file.failure);
    for (const sensors::TlsPlace& place : file.places)
        text += fmt::format("place {} {} {} {}\n", place.offset, static_cast<std::uint64_t>(place.site), place.depth,
                            code_at(image, place.offset));
    text += fmt::format("{}{:x}\n", kSum, hash(text));
    return text;
}

// The next line, if it begins so; what follows.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view begin) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || !text.starts_with(begin)) return std::nullopt;
    const std::string_view rest = text.substr(begin.size(), end - begin.size());
    text.remove_prefix(end + 1);
    return rest;
}

template <typename Number>
bool take_number(std::string_view& text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end == text.data() + text.size() || *end != ' ') return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    return true;
}

std::optional<TlsFile> parse(std::string_view text, const TlsCache::Key& key, const elf::Image& image) {
    const std::size_t at = text.rfind(kSum);
    if (at == std::string_view::npos || text.substr(at) != fmt::format("{}{:x}\n", kSum, hash(text.substr(0, at))))
        return std::nullopt;
    text = text.substr(0, at);
    const std::string header = header_of(key);
    if (!text.starts_with(header)) return std::nullopt;
    text.remove_prefix(header.size());
    const auto library = take_line(text, "library ");
    if (!library) return std::nullopt;
    const auto failure = take_line(text, "failure ");
    if (!failure) return std::nullopt;
    TlsFile file;
    file.library = *library;
    file.failure = *failure;
    while (!text.empty()) {
        auto line = take_line(text, "place ");
        std::uint64_t site = 0;
        sensors::TlsPlace place{};
        if (!line || !take_number(*line, place.offset) || !take_number(*line, site) || !take_number(*line, place.depth))
            return std::nullopt;
        // The code must still be what was looked at.
        if (line->empty() || *line != code_at(image, place.offset)) return std::nullopt;
        place.site = static_cast<wg_tls_site>(site);
        file.places.push_back(place);
    }
    return file;
}

}  // namespace

TlsCache::TlsCache(std::string folder) : folder_(std::move(folder)) {
    if (folder_.empty()) return;
    const Fd opened(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!opened.is_open() || !is_own_and_closed(opened.get(), S_IFDIR)) folder_.clear();
    std::error_code error;
    if (!folder_.empty())
        for (auto at = std::filesystem::directory_iterator(folder_, error);
             !error && at != std::filesystem::directory_iterator(); at.increment(error))
            ++files_;
}

TlsCache::Key TlsCache::key_of(const elf::Image& image, std::uint64_t modified_ns) {
    Key key{.build_id = {}, .size = image.size(), .modified_ns = modified_ns};
    constexpr std::size_t kNote = 16;  // sizes, type, and "GNU"
    const elf::Section* note = image.section(".note.gnu.build-id");
    if (!note || note->size <= kNote || note->size > kNote + kMaxBuildId) return key;
    if (const auto bytes = image.read(note->offset, note->size))
        key.build_id = hex(std::string_view(*bytes).substr(kNote));
    return key;
}

std::string TlsCache::path_of(const Key& key) const {
    return fmt::format("{}/{}-{:x}-{:x}.tls", folder_, key.build_id, key.size, key.modified_ns);
}

std::optional<TlsFile> TlsCache::find(const Key& key, const elf::Image& image) const {
    if (folder_.empty() || key.build_id.empty()) return std::nullopt;
    const Fd file(::open(path_of(key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.is_open() || !is_own_and_closed(file.get(), S_IFREG)) return std::nullopt;
    return parse(read_all(file.get()), key, image);
}

// All of them go: what is still in use comes back.
void TlsCache::make_room() {
    if (files_ < kMaxFiles) return;
    std::error_code error;
    std::vector<std::filesystem::path> all;
    for (auto at = std::filesystem::directory_iterator(folder_, error);
         !error && at != std::filesystem::directory_iterator(); at.increment(error))
        if (at->path().extension() == ".tls") all.push_back(at->path());
    for (const std::filesystem::path& path : all) std::filesystem::remove(path, error);
    files_ = 0;
}

void TlsCache::keep(const Key& key, const elf::Image& image, const TlsFile& file) {
    if (folder_.empty() || key.build_id.empty()) return;
    make_room();
    const std::string text = serialise(key, image, file);
    if (text.size() > kMaxSize) return;
    // A reader sees all of it or nothing.
    const std::string path = path_of(key);
    const std::string unfinished = path + ".new";
    ::unlink(unfinished.c_str());
    const Fd out(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!out.is_open()) return;
    if (!write_all(out.get(), text) || ::rename(unfinished.c_str(), path.c_str()) != 0)
        ::unlink(unfinished.c_str());
    else
        ++files_;
}

}  // namespace waggle::agent
