// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_files.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "agent/tls_cache.h"
#include "base/log.h"
#include "elf/boringssl.h"
#include "elf/go_functions.h"
#include "elf/image.h"
#include "elf/own_names.h"
#include "elf/sites.h"
#include "elf/symbols.h"
#include "proc/shadow_stack.h"
#include "sensors/tls_library.h"

namespace waggle::agent {
namespace {

// How a file is looked through.
struct How {
    bool looks_at_code;
    bool has_shadow_stacks;
};

Result<void> add_places(const elf::Image& image, const sensors::TlsFunction& row, const elf::Function& function,
                        How how, std::vector<sensors::TlsPlace>& places) {
    const elf::Wanted wanted = {.arguments = sensors::arguments_of(row.site),
                                .ends = row.is_result || sensors::has_result(row.site),
                                .convention = sensors::is_go(row.site) ? elf::Convention::Go : elf::Convention::SystemV,
                                .has_shadow_stack = how.has_shadow_stacks};
    const elf::Sites sites = TRY(elf::find_sites(image, function, wanted));
    const auto add = [&](const elf::Site& at, wg_tls_site site) {
        if (const auto offset = image.offset_of(at.address)) places.push_back({*offset, site, at.depth});
    };
    if (!row.is_result) add(sites.enter, row.site);
    for (const elf::Site& leave : sites.leave) add(leave, row.is_result ? row.site : sensors::leave_of(row.site));
    return ok();
}

wg_tls_site as_found(wg_tls_site site) { return static_cast<wg_tls_site>(site | WG_TLS_FOUND); }

// What of the library is among the file's functions, whose names are these.
void add_library(const elf::Image& image, const sensors::TlsLibrary& library,
                 const std::vector<elf::Function>& functions, std::span<const std::string_view> names, How how,
                 TlsFile& file) {
    std::vector<sensors::TlsPlace> places;
    std::string failure;
    const auto knows_begins = [&] {
        return std::ranges::any_of(places, [](const sensors::TlsPlace& place) { return place.site == WG_TLS_NEW; });
    };
    for (const sensors::TlsFunction& row : library.functions) {
        if (row.is_fallback && knows_begins()) continue;
        bool is_here = false;
        for (const elf::Function& function : functions) {
            if (names[function.name] != row.symbol) continue;
            is_here = true;
            const auto done = add_places(image, row, function, how, places);
            if (!done && !row.is_optional) failure = fmt::format("{}: {}", row.symbol, done.error().message);
        }
        if (!is_here && !row.is_optional) return;
    }
    if (library.is_by_code())
        for (sensors::TlsPlace& place : places) place.site = as_found(place.site);
    if (failure.empty()) file.places.insert(file.places.end(), places.begin(), places.end());
    file.add(library.name, failure);
}

std::vector<std::string_view> names_of(const sensors::TlsLibrary& library) {
    std::vector<std::string_view> names;
    for (const sensors::TlsFunction& row : library.functions) names.push_back(row.symbol);
    return names;
}

Result<std::vector<elf::Function>> find_by_code(const elf::Image& image, const sensors::TlsLibrary& library,
                                                std::span<const std::string_view> names) {
    if (library.gives_reasons) return elf::find_in_boringssl(image, library.own_file, names);
    return elf::find_own_named(image, {.file = library.own_file, .names = names});
}

// One that was linked in and has no symbols left.
void look_at_code(const elf::Image& image, How how, TlsFile& file) {
    for (const sensors::TlsLibrary& library : sensors::tls_libraries()) {
        if (!library.is_by_code() || !file.library.empty()) continue;
        const std::vector<std::string_view> names = names_of(library);
        const auto functions = find_by_code(image, library, names);
        if (functions)
            add_library(image, library, *functions, names, how, file);
        else
            file.add(library.name, functions.error().message);
    }
}

// A file may have several: a Go program that links C, a program that brings two of them.
TlsFile look_for_libraries(const elf::Image& image, How how) {
    TlsFile file;
    std::vector<std::string_view> names;
    for (const sensors::TlsLibrary& library : sensors::tls_libraries()) {
        const std::vector<std::string_view> own = names_of(library);
        if (library.is_by_code()) continue;
        if (!library.is_go) {
            for (const std::string_view name : own)
                if (std::ranges::find(names, name) == names.end()) names.push_back(name);
        } else if (const auto functions = elf::find_go_functions(image, own)) {
            add_library(image, library, *functions, own, how, file);
        } else {
            file.add(library.name, functions.error().message);
        }
    }
    const std::vector<elf::Function> functions = elf::find_functions(image, names);
    for (const sensors::TlsLibrary& library : sensors::tls_libraries())
        if (!library.is_go && !library.is_by_code()) add_library(image, library, functions, names, how, file);
    if (file.library.empty() && how.looks_at_code) look_at_code(image, how, file);
    // Functions may leave by the same code.
    std::ranges::sort(file.places);
    const auto same = std::ranges::unique(file.places);
    file.places.erase(same.begin(), same.end());
    return file;
}

}  // namespace

Fd same(const Fd& file) { return Fd(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)); }

// One that is read hides another's failure: what matters is said by the one that is used.
void TlsFile::add(std::string_view name, const std::string& why_not) {
    const bool is_read = why_not.empty();
    if (library.empty() || (is_read && !failure.empty())) {
        library = name;
        failure = why_not;
    } else if (is_read) {
        library.append(", ").append(name);
    }
}

bool TlsFile::is_by_code() const {
    return std::ranges::any_of(places, [](const sensors::TlsPlace& place) { return (place.site & WG_TLS_FOUND) != 0; });
}

TlsFiles::TlsFiles(proc::ProcFs procfs, std::string cache_folder, bool looks_at_code)
    : procfs_(std::move(procfs)),
      cache_(std::make_unique<TlsCache>(std::move(cache_folder))),
      looks_at_code_(looks_at_code),
      has_shadow_stacks_(proc::has_shadow_stacks(procfs_)) {}
TlsFiles::~TlsFiles() = default;

// Where a file may be that is not in its process's root: its path is told from our root where that is above the
// process's; and a process that changed its root later has its libraries from before in another one.
std::vector<std::string> TlsFiles::elsewhere(std::uint32_t pid, const proc::MappedCode& mapped) const {
    std::vector<std::string> names;
    const std::string above = procfs_.root_folder(pid);
    if (above.size() > 1 && mapped.path.starts_with(above + "/"))
        names.push_back(procfs_.path(pid, "root") + mapped.path.substr(above.size()));
    if (procfs_.exe(pid) == mapped.path) names.push_back(procfs_.path(pid, "exe"));
    if (above.empty()) return names;  // nobody lets us look into it
    names.push_back(procfs_.path(1, "root") + mapped.path);
    names.push_back(mapped.path);
    return names;
}

// The file may have been replaced: then it is one that is open here for another process, or where the mapping itself
// leads to, which takes more rights.
Result<Fd> TlsFiles::open(std::uint32_t pid, const proc::MappedCode& mapped) const {
    int shortage = 0;
    const auto is_it = [&](const Fd& file) {
        struct ::stat status{};
        return file.is_open() && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
               status.st_ino == mapped.inode;
    };
    const auto open_name = [&](const std::string& name) {
        Fd file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
        if (!file.is_open() && is_shortage(errno)) shortage = errno;
        return file;
    };
    if (Fd file = open_name(procfs_.path(pid, "root") + mapped.path); is_it(file)) return file;
    for (const std::string& name : elsewhere(pid, mapped))
        if (Fd file = open_name(name); is_it(file)) return file;
    if (open_already_)
        if (Fd file = open_already_(mapped); is_it(file)) return file;
    if (Fd file = open_name(procfs_.path(pid, "map_files/" + mapped.range)); is_it(file)) return file;
    if (shortage) return fail_errno(mapped.path, shortage);
    log::debug("process {}: {} cannot be opened", pid, mapped.path);
    return Fd();
}

Result<TlsFiles::Known> TlsFiles::look_into(const Fd& file, std::chrono::steady_clock::time_point until) {
    struct ::stat status{};
    if (::fstat(file.get(), &status) != 0) return Known{std::make_shared<TlsFile>(), Size::Usual};
    const Key key{status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
                  static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                      static_cast<std::uint64_t>(status.st_mtim.tv_nsec)};
    if (known_.size() > kMaxKnown) known_.clear();
    take_what_is_ready();
    auto& known = known_[key];
    const bool is_apart = key.size > kLarge && until != std::chrono::steady_clock::time_point::max();
    if (!known && is_apart) TRY(look_apart(file, key));
    if (known || is_apart || std::chrono::steady_clock::now() >= until)
        return Known{known, is_apart ? Size::Large : Size::Usual};
    known = std::make_shared<const TlsFile>(TRY(examine(file, key.modified_ns)));
    return Known{known, Size::Usual};
}

Result<void> TlsFiles::look_apart(const Fd& file, const Key& key) {
    if (apart_.valid()) return ok();  // this one, or another
    if (apart_error_ && apart_key_ == key) return std::unexpected(*std::exchange(apart_error_, std::nullopt));
    apart_file_ = same(file);
    if (!apart_file_.is_open()) return fail_errno("a large file");
    apart_key_ = key;
    try {
        apart_ = std::async(std::launch::async, [this] {
            ::pthread_setname_np(::pthread_self(), "tls files");
            return examine(apart_file_, apart_key_.modified_ns);
        });
    } catch (const std::system_error& error) {
        log::debug("looking through a large file: {}", error.what());  // tried again with the next look
    }
    return ok();
}

void TlsFiles::take_what_is_ready() {
    if (!apart_.valid() || apart_.wait_for(std::chrono::seconds(0)) == std::future_status::timeout) return;
    auto found = apart_.get();
    apart_error_.reset();
    if (found)
        known_[apart_key_] = std::make_shared<const TlsFile>(std::move(*found));
    else
        apart_error_ = std::move(found.error());
    apart_file_ = Fd();
}

// What is no ELF file has no library; one that cannot be opened now is asked for again.
Result<TlsFile> TlsFiles::examine(const Fd& file, std::uint64_t modified_ns) {
    const auto image = elf::Image::open("/proc/self/fd/" + std::to_string(file.get()));
    if (!image && is_shortage(image.error().code)) return std::unexpected(image.error());
    if (!image) return TlsFile();
    TlsCache::Key key = TlsCache::key_of(*image, modified_ns);
    key.has_looked_at_code = looks_at_code_;
    key.has_shadow_stacks = has_shadow_stacks_;
    {
        std::lock_guard lock(cache_mutex_);
        if (auto known = cache_->find(key, *image)) {
            ++remembered_;
            return std::move(*known);
        }
    }
    ++examined_;
    TlsFile found = look_for_libraries(*image, {looks_at_code_, has_shadow_stacks_});
    std::lock_guard lock(cache_mutex_);
    cache_->keep(key, *image, found);
    return found;
}

TlsFiles::Found TlsFiles::among(std::uint32_t pid, const proc::MappedCodes& all,
                                std::chrono::steady_clock::time_point until) {
    Found found;
    for (const proc::MappedCode& mapped : all) {
        auto opened = open(pid, mapped);
        if (opened && !opened->is_open()) continue;
        const auto looked = opened ? look_into(*opened, until) : std::unexpected(opened.error());
        if (!looked) {
            found.is_short = true;
            found.left.push_back(mapped);
            continue;
        }
        const auto& [known, size] = *looked;
        if (!known) {
            found.waits_for_large = size == Size::Large && (found.left.empty() || found.waits_for_large);
            found.left.push_back(mapped);
            continue;
        }
        if (!known->library.empty())
            found.files.push_back(
                {.fd = std::move(*opened), .path = mapped.path, .inode = mapped.inode, .file = known});
    }
    return found;
}

std::vector<std::string> explain_tls(std::uint32_t pid, bool looks_at_code) {
    std::vector<std::string> lines;
    for (const OpenTlsFile& found : TlsFiles(proc::ProcFs(), {}, looks_at_code).of(pid))
        lines.push_back(
            found.file->failure.empty()
                ? fmt::format("TLS: read through {} ({})", found.path, found.file->library)
                : fmt::format("TLS: {} ({}) cannot be read: {}", found.path, found.file->library, found.file->failure));
    if (lines.empty()) lines.emplace_back("TLS: no library is loaded that can be read; what is encrypted is counted");
    return lines;
}

}  // namespace waggle::agent
