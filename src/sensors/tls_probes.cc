// SPDX-License-Identifier: Apache-2.0
#include "sensors/tls_probes.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <set>

#include "bpf/abi/rules.h"
#include "sensors/map.h"
#include "sensors/tls_library.h"
#include "sensors/uprobe_multi.h"
#include "tls.bpf.h"

namespace waggle::sensors {
namespace {

constexpr std::string_view kMulti = "uprobe_multi";

// What the socket hooks are to look for from now on. Go's calls say so themselves when the first of them comes.
std::uint32_t kinds_of(std::span<const TlsPlace> places) {
    const bool is_go_program = std::ranges::all_of(places, [](const TlsPlace& place) { return is_go(place.site); });
    return is_go_program ? 0u : static_cast<std::uint32_t>(WG_TLS_OF_THREADS);
}

}  // namespace

const SensorSpec& tls_sensor() {
    static const SensorSpec spec = {
        "tls",
        bpf::tls,
        {{kMulti,
          {{.name = "tls_site", .needs = "", .is_by_hand = true, .attach_type = kUprobeMulti},
           {.name = "count_call", .needs = "", .is_by_hand = true, .attach_type = kUprobeMulti}}},
         {"uprobe", {{.name = "tls_site", .needs = "", .is_by_hand = true}}}},
        "encrypted traffic is counted, not read"};
    return spec;
}

std::unique_ptr<TlsProbes> TlsProbes::start(const LoadOptions& options, SensorReport& report, std::uint32_t tried) {
    std::unique_ptr<Sensor> sensor = load(tls_sensor(), options, report);
    if (!sensor) return nullptr;
    bool is_multi = report.chosen == kMulti;
    std::string_view why;
    if (is_multi && !has_multi(sensor->program_fd("tls_site")))
        why = "not in this kernel";
    else if (is_multi && !sees_every_thread(sensor->program_fd("count_call"), sensor->map_fd("calls_counted"), tried))
        why = "this kernel's sees one thread of a process only (6.6.33 and 6.9.4 do better)";
    if (!why.empty()) {
        LoadOptions older = options;
        older.disabled.emplace_back(kMulti);
        report = {};
        sensor = load(tls_sensor(), older, report);
        if (!sensor) return nullptr;
        report.reasons = {fmt::format("uprobe_multi: {}", why)};
        is_multi = false;
    }
    if (is_multi)
        report.reasons.emplace_back(
            "a stop takes less than a second; longer where ebpf.tls_own_links allows more than 64 processes of one "
            "file "
            "probes of their own: about 2 s with 128 and 5 s with 256");
    else
        report.reasons.push_back(
            fmt::format("by perf events, in each process its own, which want CAP_SYS_ADMIN: a stop takes about 80 ms "
                        "for every {} probes, "
                        "after the last export",
                        ProbeLinks::kSingleAtOnce));
    return std::unique_ptr<TlsProbes>(new TlsProbes(std::move(sensor), is_multi));
}

TlsProbes::~TlsProbes() { detach_all(); }

Result<void> TlsProbes::attach_each(std::uint32_t pid, const std::string& path, std::span<const TlsPlace> places,
                                    ProbeLinks& links) {
    for (const TlsPlace& place : places) {
        DECLARE_LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = place.cookie());
        bpf_link* link = bpf_program__attach_uprobe_opts(sensor_->program("tls_site"), static_cast<pid_t>(pid),
                                                         path.c_str(), place.offset, &options);
        if (!link) return fail_errno("uprobe");
        links.single.push_back(link);
    }
    return ok();
}

Result<void> TlsProbes::attach_multi(std::uint32_t pid, std::uint32_t shared_file, const std::string& path,
                                     std::span<const TlsPlace> places, ProbeLinks& links) {
    std::vector<std::uint64_t> offsets;
    std::vector<std::uint64_t> cookies;
    for (const TlsPlace& place : places) {
        offsets.push_back(place.offset);
        cookies.push_back(place.cookie() | static_cast<std::uint64_t>(shared_file) << WG_TLS_FILE_SHIFT);
    }
    Fd link(link_multi(sensor_->program_fd("tls_site"), path.c_str(), pid, offsets, cookies));
    if (!link.is_open()) return fail_errno("uprobe_multi");
    links.multi.push_back(std::move(link));
    return ok();
}

// The kernel sets the probes before it looks for a descriptor, and takes them away again when there is none.
Result<void> TlsProbes::check_room() const {
    if (!Fd(::fcntl(sensor_->program_fd("tls_site"), F_DUPFD_CLOEXEC, 0)).is_open()) return fail_errno("a descriptor");
    return ok();
}

void TlsProbes::expect(std::span<const TlsPlace> places) {
    if (has_tls_) std::atomic_ref(*has_tls_).fetch_or(kinds_of(places), std::memory_order_relaxed);
}

Result<void> TlsProbes::attach(std::uint32_t pid, std::uint32_t file, const std::string& path,
                               std::span<const TlsPlace> places) {
    std::lock_guard lock(mutex_);
    if (is_over_ || places.empty()) return ok();
    TRY(check_room());
    expect(places);
    ProbeLinks fresh;
    const auto done = is_multi_ ? attach_multi(pid, 0, path, places, fresh) : attach_each(pid, path, places, fresh);
    if (!done) {
        releaser_.add(std::move(fresh));
        return done;
    }
    by_pid_[pid][file].add(std::move(fresh));
    return ok();
}

bool TlsProbes::can_share(std::uint32_t file, std::span<const TlsPlace> places) const {
    return is_multi_ && file > 0 && file < WG_TLS_MAX_FILES &&
           std::ranges::none_of(places, [](const TlsPlace& place) { return place.site == WG_TLS_RUST_TAKE; });
}

Result<void> TlsProbes::share(std::uint32_t file, const std::string& path, std::span<const TlsPlace> places) {
    std::lock_guard lock(mutex_);
    if (is_over_ || places.empty()) return ok();
    TRY(check_room());
    expect(places);
    const int strangers = sensor_->map_fd("tls_strangers");
    const std::uint64_t none = 0;
    const std::uint64_t agent = static_cast<std::uint64_t>(::getpid());
    const std::uint32_t agents_place = 0;
    map_update(strangers, &agents_place, &agent);
    map_update(strangers, &file, &none);
    return attach_multi(0, file, path, places, shared_[file]);
}

void TlsProbes::unshare(std::uint32_t file) {
    std::lock_guard lock(mutex_);
    const auto found = shared_.find(file);
    if (found == shared_.end()) return;
    found->second.release();  // somebody who is not selected may run into it
    shared_.erase(found);
}

bool TlsProbes::has_stranger(std::uint32_t file) const {
    std::uint64_t calls = 0;
    return map_lookup(sensor_->map_fd("tls_strangers"), &file, &calls) == 0 && calls > 0;
}

void TlsProbes::detach_file(std::uint32_t file, std::span<const std::uint32_t> pids) {
    std::lock_guard lock(mutex_);
    ProbeLinks links;
    for (const std::uint32_t pid : pids) {
        const auto process = by_pid_.find(pid);
        if (process == by_pid_.end()) continue;
        if (auto own = process->second.extract(file)) links.add(std::move(own.mapped()));
        if (process->second.empty()) by_pid_.erase(process);
    }
    releaser_.add(std::move(links));
}

void TlsProbes::detach(std::span<const Gone> gone) {
    std::lock_guard lock(mutex_);
    ProbeLinks links;
    std::set<std::uint32_t> tgids;
    for (const auto& [pid, kernel_tgid] : gone) {
        tgids.insert(kernel_tgid);
        const auto found = by_pid_.find(pid);
        if (found == by_pid_.end()) continue;
        for (auto& [file, own] : found->second) links.add(std::move(own));
        by_pid_.erase(found);
    }
    if (tgids.empty()) return;
    releaser_.add(std::move(links));
    const int calls = sensor_->map_fd("go_calls");
    for (const wg_go_key& key : map_keys<wg_go_key>(calls))
        if (tgids.contains(key.kernel_tgid)) map_delete(calls, &key);
    const int sessions = sensor_->map_fd("tls_sessions");
    std::vector<wg_tls_key> ended;
    for (const wg_tls_key& key : map_keys<wg_tls_key>(sessions))
        if (tgids.contains(key.kernel_tgid)) ended.push_back(key);
    for (const wg_tls_key& key : ended) {
        std::array<std::uint64_t, 64> session{};  // begins with its connection's id
        if (map_lookup(sessions, &key, session.data()) == 0) map_delete(sensor_->map_fd("rules"), &session[0]);
        map_delete(sessions, &key);
    }
}

void TlsProbes::stop() {
    {
        std::lock_guard lock(mutex_);
        is_over_ = true;
    }
    if (is_multi_) detach_all();
}

void TlsProbes::detach_all() {
    ProbeLinks all;
    {
        std::lock_guard lock(mutex_);
        is_over_ = true;
        for (auto& [file, links] : shared_) all.add(std::move(links));
        for (auto& [pid, files] : by_pid_)
            for (auto& [file, links] : files) all.add(std::move(links));
        shared_.clear();
        by_pid_.clear();
    }
    releaser_.add(std::move(all));
    releaser_.finish();
}

}  // namespace waggle::sensors
