// SPDX-License-Identifier: Apache-2.0
#include "sensors/capture.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include "base/log.h"
#include "base/parallel.h"
#include "io_uring.bpf.h"
#include "process.bpf.h"
#include "sockets.bpf.h"
#include "sockets_exits.bpf.h"
#include "sockets_plain.bpf.h"
#include "tasks.bpf.h"

namespace waggle::sensors {
namespace {

constexpr std::uint32_t kMaxRings = 16;

// The ten operations of stream sockets, and how connections end.
std::vector<Program> exits() {
    return {{"inet_send", "inet_sendmsg"},
            {"inet6_send", "inet6_sendmsg", true},
            {"inet_receive", "inet_recvmsg"},
            {"inet6_receive", "inet6_recvmsg", true},
            {"unix_send", "unix_stream_sendmsg", true},
            {"unix_receive", "unix_stream_recvmsg", true},
            {"inet_send_page", "inet_sendpage", true},
            {"unix_send_page", "unix_stream_sendpage", true},
            {"tcp_splice", "tcp_splice_read", true},
            {"unix_splice", "unix_stream_splice_read", true},
            {"cleaned_up", "tcp_cleanup_rbuf", true},
            {"set_state", "inet_sock_set_state"},
            {"destroyed", "tcp_destroy_sock", true}};
}

std::vector<Program> plain_exits() {
    std::vector<Program> programs = exits();
    programs.push_back({"freed", "security_sk_free"});
    return programs;
}

std::vector<Probe> socket_probes() {
    std::vector<Probe> probes = {{.program = "enter_free", .function = "security_sk_free"}};
    const auto both = [&](std::string_view program, std::string_view function, bool is_optional) {
        const std::string_view leave = program.starts_with("enter_send") ? "leave_send" : "leave_receive";
        probes.push_back({.program = program, .function = function, .is_optional = is_optional});
        probes.push_back({.program = leave, .function = function, .is_return = true, .is_optional = is_optional});
    };
    both("enter_send", "inet_sendmsg", false);
    both("enter_send", "inet6_sendmsg", true);
    both("enter_send", "unix_stream_sendmsg", true);
    both("enter_receive", "inet_recvmsg", false);
    both("enter_receive", "inet6_recvmsg", true);
    both("enter_receive", "unix_stream_recvmsg", true);
    both("enter_send_page", "inet_sendpage", true);
    both("enter_send_page", "unix_stream_sendpage", true);
    both("enter_splice", "tcp_splice_read", true);
    both("enter_splice", "unix_stream_splice_read", true);
    probes.push_back({.program = "enter_cleanup", .function = "tcp_cleanup_rbuf", .is_optional = true});
    return probes;
}

const SensorSpec& blocked_sensor() {
    static const SensorSpec spec = {
        "blocked threads",
        bpf::tasks,
        {{"iter", {{"list_blocked", "bpf_iter_task"}}}},
        "the first request of each connection whose server waits for it in a read is missed"};
    return spec;
}

// Hooks at a function's exit are not run for threads that are in it already: they are listed, once.
void list_blocked(const Sensor& sockets, const LoadOptions& options) {
    SensorReport report;
    LoadOptions own = options;
    own.shared_maps = {{"blocked", sockets.map_fd("blocked")}};
    const auto sensor = load(blocked_sensor(), own, report);
    if (sensor && sensor->read_iterator()) return;
    log::warn("{}: {}", blocked_sensor().cost_of_absence, report.reasons.empty() ? "" : report.reasons.front());
}

}  // namespace

const std::vector<SensorSpec>& base_sensors() {
    static const std::vector<SensorSpec> specs = {
        {"sockets",
         bpf::sockets,
         {{"tp_btf",
           {{"send_length", "sock_send_length"},
            {"receive_length", "sock_recv_length"},
            {"send_begin", "tcp_sendmsg_locked", true},
            {"set_state", "inet_sock_set_state"},
            {"destroyed", "tcp_destroy_sock", true},
            {"arrival", "sk_data_ready", true, true}}},
          {.name = "fentry", .programs = exits(), .object = bpf::sockets_exits},
          {.name = "fentry_plain", .programs = plain_exits(), .object = bpf::sockets_plain},
          {.name = "kprobe",
           .programs = {{"set_state", "inet_sock_set_state"}, {"destroyed", "tcp_destroy_sock", true}},
           .probes = socket_probes(),
           .object = bpf::sockets_plain}},
         "no request is seen"},
        {"processes",
         bpf::process,
         {{"tp_btf",
           {{"process_exec", "sched_process_exec"},
            {"process_fork", "sched_process_fork"},
            {"process_exit", "sched_process_exit"},
            {"process_listen", "inet_sock_set_state"}}}},
         "new processes are found by looking every poll_interval: short-lived ones are missed"},
        {"io_uring",
         bpf::io_uring,
         {{"tp_btf", {{"io_complete", "io_uring_complete"}}}},
         "what programs move by io_uring is counted, not read"},
        {"tasks",
         bpf::tasks,
         {{"iter", {{"list_tasks", "bpf_iter_task"}}}},
         "processes older than the agent are not seen from inside its pid namespace"},
    };
    return specs;
}

Result<std::unique_ptr<Capture>> Capture::start(const CaptureOptions& options, std::vector<SensorReport>& reports) {
    raise_memory_limit();
    std::unique_ptr<Capture> capture(new Capture);
    LoadOptions load_options;
    load_options.disabled = options.disabled;
    load_options.settings = {.agent_pid_namespace = options.pid_namespace,
                             .ring_count = std::min(options.rings, kMaxRings),
                             .request_bytes = options.request_bytes,
                             .response_bytes = options.response_bytes,
                             .unknown_bytes = options.unknown_bytes,
                             .has_queue_time = options.has_queue_time,
                             .datagram_ports = {53, 5353},
                             .copies = choose_copies(options.copies)};
    if (options.has_queue_time) load_options.requested.push_back("arrival");
    load_options.map_entries["scratch"] =
        2 * load_options.settings.copies * (options.cpus ? options.cpus : static_cast<std::uint32_t>(possible_cpus()));
    load_options.map_entries["targets"] = options.max_targets;

    SensorReport& sockets = reports.emplace_back();
    capture->sockets_ = load(base_sensors()[0], load_options, sockets);
    if (!capture->sockets_) {
        std::string reasons;
        for (const std::string& reason : sockets.reasons) reasons += "\n  " + reason;
        return fail("no way to see socket traffic on this kernel:" + reasons);
    }
    // Where the sockets are seen by fexit, the message is at hand and so is io_uring's text.
    const std::string hook = sockets.chosen;  // reports grow
    const bool is_by_tracepoint = hook == "tp_btf";
    const bool is_typed = is_by_tracepoint || hook == "fentry";
    if (is_typed && load_options.settings.copies > 1)
        sockets.reasons.push_back(
            fmt::format("each program stands at its hook {} times, since threads may be preempted in it",
                        load_options.settings.copies));
    if (!is_by_tracepoint) list_blocked(*capture->sockets_, load_options);
    // Before 5.15, and by kprobes, nothing tells whose socket a library uses.
    capture->load_rest(load_options, hook, is_typed, options.has_tls && is_typed, reports);

    const Sensor& sensor = *capture->sockets_;
    capture->targets_fd_ = sensor.map_fd("targets");
    capture->rules_ = sensor.map<std::uint64_t, wg_connection_rules>("rules");
    capture->tails_ = sensor.map<wg_tail_key, wg_tail>("tails");
    capture->tallies_ = sensor.map<wg_tally_key, wg_tally>("tallies");
    capture->counters_fd_ = sensor.map_fd("counters");
    if (const int framings = sensor.map_fd("framings"); framings >= 0)
        for (std::uint32_t i = 0; i < options.framings.size(); ++i)
            if (const int error = map_update(framings, &i, &options.framings[i]); error)
                return fail_errno("telling framings", -error);
    if (options.has_queue_time && (!is_by_tracepoint || !kernel_has_tracepoint("sk_data_ready")))
        log::warn("ebpf.queue_time: this kernel does not tell when bytes arrive (6.4 and later do, with tp_btf)");

    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    capture->state_bytes_ = (sizeof(wg_state) + page - 1) / page * page;
    void* mapped =
        ::mmap(nullptr, capture->state_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, sensor.map_fd("state"), 0);
    if (mapped == MAP_FAILED) return fail_errno("mapping the shared page");
    capture->state_ = static_cast<wg_state*>(mapped);
    capture->state_->has_io_uring = capture->io_uring_ != nullptr;
    if (capture->tls_) capture->tls_->set_flag(&capture->state_->has_tls);

    const int outer = sensor.map_fd("rings");
    for (std::uint32_t i = 0; i < load_options.settings.ring_count; ++i) {
        Fd ring = TRY(create_ring(options.ring_bytes));
        const int fd = ring.get();
        if (const int error = map_update(outer, &i, &fd); error) return fail_errno("adding a ring", -error);
        capture->rings_.push_back(std::move(ring));
    }
    return capture;
}

// All that needs the sockets' maps, at once, since the kernel takes its time to verify programs: copies first, which
// take the longest.
void Capture::load_rest(const LoadOptions& of_sockets, const std::string& hook, bool is_typed, bool has_tls,
                        std::vector<SensorReport>& reports) {
    LoadOptions options = of_sockets;
    options.is_beside_others = true;
    for (const char* shared : {"targets", "counters", "state", "rings", "scratch", "pending", "marks"})
        options.shared_maps[shared] = sockets_->map_fd(shared);
    LoadOptions of_tls = options;
    for (const char* shared : {"rules", "tails", "tallies", "tls_threads", "go_calls"})
        of_tls.shared_maps[shared] = sockets_->map_fd(shared);
    of_tls.shared_maps.erase("scratch");

    std::vector<std::function<void()>> loads;
    if (is_typed && options.settings.copies > 1)
        loads = socket_copies_.prepare(base_sensors()[0], *sockets_, of_sockets, hook);
    std::vector<SensorReport> own(4);
    if (has_tls) loads.emplace_back([&] { tls_ = TlsProbes::start(of_tls, own[3]); });
    loads.emplace_back([&] { processes_ = load(base_sensors()[1], options, own[0]); });
    if (hook == "tp_btf") loads.emplace_back([&] { load_io_uring(options, own[1]); });
    if (options.settings.agent_pid_namespace)
        loads.emplace_back([&] { tasks_ = load(base_sensors()[3], options, own[2]); });
    in_parallel(loads.size(), std::thread::hardware_concurrency(), [&](std::size_t i) { loads[i](); });
    ::malloc_trim(0);  // what each thread needed of the kernel's types stays in its arena else
    socket_copies_.settle();
    for (SensorReport& report : own)
        if (!report.name.empty()) reports.push_back(std::move(report));
}

void Capture::load_io_uring(const LoadOptions& options, SensorReport& report) {
    io_uring_ = load(base_sensors()[2], options, report);
    if (!io_uring_) return;
    for (const auto& load_copy : io_uring_copies_.prepare(base_sensors()[2], *io_uring_, options, report.chosen))
        load_copy();
    io_uring_copies_.settle();
}

Capture::~Capture() {
    detach();
    if (state_) ::munmap(state_, state_bytes_);
}

void Capture::detach() {
    if (sockets_) sockets_->detach();
    socket_copies_.detach();
    io_uring_copies_.detach();
    if (processes_) processes_->detach();
    if (io_uring_) io_uring_->detach();
    if (tls_) tls_->stop();
}

void Capture::beat(std::uint64_t now_ns) {
    std::atomic_ref(state_->heartbeat_ns).store(now_ns, std::memory_order_relaxed);
}

void Capture::set_calm(std::size_t ring, bool is_calm) {
    const std::uint32_t bit = 1u << ring;
    std::atomic_ref calm(state_->calm_rings);
    if (((calm.load(std::memory_order_relaxed) & bit) != 0) == is_calm) return;
    if (is_calm)
        calm.fetch_or(bit);
    else
        calm.fetch_and(~bit);
}

void Capture::publish_rules() { std::atomic_ref(state_->rule_generation).fetch_add(1, std::memory_order_release); }

void Capture::set_max_bytes(std::uint32_t bytes) {
    std::atomic_ref(state_->max_bytes).store(bytes, std::memory_order_relaxed);
}

void Capture::set_counting(bool is_counting) {
    std::atomic_ref(state_->is_counting).store(is_counting, std::memory_order_relaxed);
}

void Capture::switch_off() { std::atomic_ref(state_->is_off).store(1, std::memory_order_release); }

// As the kernel side does: a slot counts a target before it is there, and until it is gone.
bool Capture::set_target(std::uint32_t kernel_tgid, const wg_target& target) {
    std::atomic_ref slot(state_->target_slots[kernel_tgid % WG_TARGET_SLOTS]);
    for (int tries = 0; tries < 3; ++tries) {
        slot.fetch_add(1, std::memory_order_seq_cst);
        const int error = map_insert(targets_fd_, &kernel_tgid, &target);
        if (!error) return true;
        slot.fetch_sub(1, std::memory_order_seq_cst);
        if (error != -EEXIST) return false;
        if (map_replace(targets_fd_, &kernel_tgid, &target) == 0) return true;
    }
    return false;
}

void Capture::remove_target(std::uint32_t kernel_tgid) {
    if (map_delete(targets_fd_, &kernel_tgid)) return;
    std::atomic_ref(state_->target_slots[kernel_tgid % WG_TARGET_SLOTS]).fetch_sub(1, std::memory_order_seq_cst);
}

void Capture::publish_targets() { std::atomic_ref(state_->target_generation).fetch_add(1, std::memory_order_release); }

int Capture::process_ring_fd() const { return processes_ ? processes_->map_fd("process_ring") : -1; }

std::vector<wg_task_numbers> Capture::task_numbers() const {
    std::vector<wg_task_numbers> all;
    if (!tasks_) return all;
    const auto bytes = tasks_->read_iterator();
    if (!bytes) {
        log::warn("processes older than the agent are not seen: {}", bytes.error().message);
        return all;
    }
    all.resize(bytes->size() / sizeof(wg_task_numbers));
    std::memcpy(all.data(), bytes->data(), all.size() * sizeof(wg_task_numbers));
    return all;
}

std::array<std::uint64_t, WG_COUNTERS> Capture::counters() const {
    std::array<std::uint64_t, WG_COUNTERS> sums{};
    std::vector<std::uint64_t> by_cpu(static_cast<std::size_t>(possible_cpus()));
    for (std::uint32_t key = 0; key < WG_COUNTERS; ++key) {
        if (map_lookup(counters_fd_, &key, by_cpu.data()) != 0) continue;
        for (const std::uint64_t value : by_cpu) sums[key] += value;
    }
    return sums;
}

Capture::Missed Capture::missed_runs() const {
    std::vector<std::vector<MissedRuns>> sensors;
    if (sockets_) sensors.push_back(socket_copies_.missed_runs(*sockets_));
    if (io_uring_) sensors.push_back(io_uring_copies_.missed_runs(*io_uring_));
    if (tls_) sensors.push_back({tls_->missed_runs()});
    const auto now = counters();
    Missed missed;
    for (const std::vector<MissedRuns>& by_copy : sensors) missed.of_traffic += missed_by_all(by_copy, now);
    if (processes_) missed.of_processes = missed_by_all(std::vector{processes_->missed_runs()}, now);
    return missed;
}

}  // namespace waggle::sensors
