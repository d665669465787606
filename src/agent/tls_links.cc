// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_links.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/log.h"
#include "discover/process.h"

namespace waggle::agent {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAtOnce = 4;  // links that the kernel is asked to take away together
constexpr std::chrono::seconds kFirstPause = 1s;
constexpr std::chrono::seconds kMaxPause = 64s;
constexpr std::chrono::milliseconds kFirstShortPause = 500ms;
constexpr std::chrono::milliseconds kMaxShortPause = 10s;
constexpr std::chrono::seconds kLookAgain = 60s;  // at who has come, and has not run into the link

TlsLook look_for(const OpenTlsFile& found) {
    struct ::stat status{};
    struct ::statfs system{};
    const bool is_known = ::fstat(found.fd.get(), &status) == 0 && ::fstatfs(found.fd.get(), &system) == 0;
    const bool is_over_others = !is_known || system.f_type == OVERLAYFS_SUPER_MAGIC;
    return {status.st_ino, is_over_others ? std::string(discover::base_name(found.path)) : std::string()};
}

}  // namespace

TlsLinks::TlsLinks(sensors::TlsLinker& probes, proc::ProcFs procfs, Settings settings)
    : probes_(probes),
      procfs_(std::move(procfs)),
      settings_(std::move(settings)),
      sees_every_process_(procfs_.shows_first_pid_namespace()) {}

Result<TlsLinks::Users*> TlsLinks::users_of(const OpenTlsFile& found) {
    if (const auto known = by_file_.find(found.file); known != by_file_.end()) return &known->second;
    Fd file = same(found.fd);
    if (!file.is_open()) return fail_errno(found.path);
    std::set<std::uint32_t> numbers;
    for (const auto& [file, users] : by_file_) numbers.insert(users.number);
    std::uint32_t number = 1;
    while (numbers.contains(number)) ++number;
    Users fresh{.number = number,
                .file = {.fd = std::move(file), .path = found.path, .inode = found.inode, .file = found.file},
                .look = look_for(found)};
    return &by_file_.emplace(found.file, std::move(fresh)).first->second;
}

Result<void> TlsLinks::link(Users& users, std::uint32_t pid) {
    if (is_full(users))
        return fail(fmt::format("{} processes of this file have probes of their own; ebpf.tls_own_links allows no more",
                                settings_.most_own));
    TRY(probes_.attach(pid, users.number, users.file.open_path(), users.file.file->places));
    users.linked.insert(pid);
    users.short_pause = {};
    return ok();
}

Result<TlsLinks::Added> TlsLinks::add(std::uint32_t pid, const OpenTlsFile& found, Clock::time_point until) {
    Users& users = *TRY(users_of(found));
    if (users.way == Way::Own && is_full(users) && users.look.is_going()) {
        users.waiting.insert(pid);
        go_on_with(users, until);
        return Added::Waits;
    }
    if (users.way != Way::All) {
        if (auto done = link(users, pid); !done) {
            if (is_full(users))
                users.left_out.insert(pid);
            else if (users.pids.empty() && users.left_out.empty() && users.waiting.empty())
                by_file_.erase(found.file);
            return std::unexpected(std::move(done.error()));
        }
    }
    users.pids.insert(pid);
    go_on_with(users, until);
    return Added::Read;
}

void TlsLinks::remove(std::uint32_t pid, const FileRef& file) {
    const auto found = by_file_.find(file);
    if (found == by_file_.end()) return;
    Users& users = found->second;
    users.pids.erase(pid);
    users.linked.erase(pid);
    users.left_out.erase(pid);
    users.waiting.erase(pid);
    if (!users.pids.empty() || !users.left_out.empty() || !users.waiting.empty()) return;
    probes_.unshare(users.number);
    by_file_.erase(found);
}

void TlsLinks::let_go(std::uint32_t pid, const FileRef& file) {
    const auto found = by_file_.find(file);
    if (found == by_file_.end()) return;
    if (found->second.linked.contains(pid)) probes_.detach_file(found->second.number, {&pid, 1});
    remove(pid, file);
}

Fd TlsLinks::open(const proc::MappedCode& mapped) const {
    for (const auto& [file, users] : by_file_) {
        struct ::stat status{};
        if (users.file.path == mapped.path && ::fstat(users.file.fd.get(), &status) == 0 &&
            status.st_ino == mapped.inode)
            return same(users.file.fd);
    }
    return Fd();
}

void TlsLinks::go_on(Clock::time_point until) {
    for (auto& [file, users] : by_file_) go_on_with(users, until);
}

bool TlsLinks::has_room_for_more(const FileRef& file) const {
    const auto found = by_file_.find(file);
    return found == by_file_.end() || found->second.way == Way::All ||
           found->second.linked.size() < settings_.most_own / 2;
}

std::vector<std::uint32_t> TlsLinks::read(const Counts& counts) const {
    std::vector<std::uint32_t> pids;
    for (const auto& [file, users] : by_file_)
        std::ranges::copy_if(users.pids, std::back_inserter(pids),
                             [&](std::uint32_t pid) { return counts(pid, file); });
    std::ranges::sort(pids);
    const auto again = std::ranges::unique(pids);
    pids.erase(again.begin(), again.end());
    return pids;
}

bool TlsLinks::is_busy() const {
    return std::ranges::any_of(by_file_, [](const auto& entry) {
        const Users& users = entry.second;
        const bool goes_back = users.way == Way::Back && Clock::now() >= users.next_try;
        return users.look.is_going() || goes_back ||
               (users.way == Way::All && !users.linked.empty() && !users.has_found);
    });
}

// Others have ended.
void TlsLinks::let_in(Users& users, Clock::time_point until) {
    if (Clock::now() < users.next_try) return;
    while (!users.left_out.empty() && !is_full(users)) {
        const bool is_read = admit(users, users.left_out.extract(users.left_out.begin()).value());
        if (!is_read || Clock::now() >= until) return;
    }
}

void TlsLinks::try_later(Users& users) {
    users.short_pause = std::clamp(2 * users.short_pause, kFirstShortPause, kMaxShortPause);
    users.next_try = Clock::now() + users.short_pause;
}

bool TlsLinks::admit(Users& users, std::uint32_t pid) {
    const auto done = link(users, pid);
    if (done) {
        users.pids.insert(pid);
        settings_.found(pid, users.file);
    } else {
        const bool is_short = is_shortage(done.error().code);
        if (is_full(users) || is_short) users.left_out.insert(pid);
        if (is_short) try_later(users);
        settings_.failed(pid, users.file.path, done.error());
    }
    return done.has_value();
}

void TlsLinks::go_on_with(Users& users, Clock::time_point until) {
    if (users.way == Way::Own) let_in(users, until);
    if (users.way == Way::Back) return go_back(users, until);
    if (users.way == Way::All && probes_.has_stranger(users.number)) {
        users.way = Way::Back;
        users.pause = kMaxPause;
        return go_back(users, until);
    }
    const bool is_worth_it = users.way == Way::All || users.pids.size() + users.left_out.size() >= kShare;
    if (!users.look.is_going() && is_worth_it && Clock::now() >= users.next_look && sees_every_process_ &&
        probes_.can_share(users.number, users.file.file->places))
        users.look.begin(procfs_);
    if (users.look.is_going())
        look(users, until);
    else if (users.way == Way::All && !users.has_found)
        let_go_of_own(users, until);
}

void TlsLinks::look(Users& users, Clock::time_point until) {
    const TlsLook::Answer answer = users.look.go_on(procfs_, settings_.is_selected, until);
    if (answer == TlsLook::Answer::Going) return;
    if (answer == TlsLook::Answer::Unknown) {
        users.next_look = Clock::now() + kFirstPause;
        users.has_found |= users.way == Way::All && !users.linked.empty();  // they stay
        if (users.way == Way::Own) give_up_waiting(users);
        return;
    }
    users.next_look = Clock::now() + kLookAgain;
    const bool has_found = std::exchange(users.has_found, answer == TlsLook::Answer::Strangers);
    if (answer == TlsLook::Answer::OnlySelected) {
        if (users.way == Way::Own) share(users);
        give_up_waiting(users);
    } else if (users.way == Way::All && !has_found) {
        users.next_look = Clock::now() + kFirstPause;
    } else if (users.way == Way::All) {
        users.way = Way::Back;
    } else {
        users.pause = std::clamp(2 * users.pause, kFirstPause, kMaxPause);
        users.next_look = Clock::now() + users.pause;
        give_up_waiting(users);
    }
}

// There is no link for all: who waited for one gets its own, or is left out.
void TlsLinks::give_up_waiting(Users& users) {
    for (const std::uint32_t pid : std::exchange(users.waiting, {})) admit(users, pid);
}

// Who began during the look is looked at before the own ones go.
void TlsLinks::share(Users& users) {
    if (const auto done = probes_.share(users.number, users.file.open_path(), users.file.file->places); !done) {
        log::debug("{}: no link for all of its processes: {}", users.file.path, done.error().message);
        return;
    }
    users.way = Way::All;
    for (std::set<std::uint32_t>* others : {&users.left_out, &users.waiting}) {
        for (const std::uint32_t pid : *others) settings_.found(pid, users.file);
        users.pids.merge(*others);
    }
    users.look.begin(procfs_);
    if (!users.look.is_going()) {  // no descriptor for it
        users.has_found = true;
        users.next_look = Clock::now() + kFirstPause;
    }
    log::debug("{}: one link for its {} processes", users.file.path, users.pids.size());
}

void TlsLinks::let_go_of_own(Users& users, Clock::time_point until) {
    while (!users.linked.empty()) {
        std::vector<std::uint32_t> some;
        for (const std::uint32_t pid : users.linked)
            if (some.size() < kAtOnce) some.push_back(pid);
        probes_.detach_file(users.number, some);
        for (const std::uint32_t pid : some) users.linked.erase(pid);
        if (Clock::now() >= until) return;
    }
}

void TlsLinks::go_back(Users& users, Clock::time_point until) {
    if (Clock::now() < users.next_try) return;
    std::vector<std::uint32_t> left;
    std::ranges::set_difference(users.pids, users.linked, std::back_inserter(left));
    for (const std::uint32_t pid : left) {
        if (const auto done = link(users, pid); !done) {
            if (is_shortage(done.error().code)) return try_later(users);
            users.pids.erase(pid);
            users.left_out.insert(pid);
            settings_.lost(pid, users.file.path, done.error().message);
        }
        if (pid != left.back() && Clock::now() >= until) return;
    }
    probes_.unshare(users.number);
    users.way = Way::Own;
    users.pause = std::clamp(2 * users.pause, kFirstPause, kMaxPause);
    users.next_look = Clock::now() + users.pause;
    log::debug("{}: a link for each of its {} processes", users.file.path, users.pids.size());
}

}  // namespace waggle::agent
