// SPDX-License-Identifier: Apache-2.0
#include "sensors/capture.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "base/log.h"
#include "io_uring.bpf.h"
#include "process.bpf.h"
#include "sockets.bpf.h"
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
        probes.push_back({.program = program, .function = function, .is_optional = is_optional});
        probes.push_back({.program = "leave", .function = function, .is_return = true, .is_optional = is_optional});
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
    return probes;
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
          {"fentry", exits()},
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

Result<std::unique_ptr<Capture>> Capture::start(const CaptureOptions& options,
                                                std::vector<SensorReport>& reports) {
    raise_memory_limit();
    std::unique_ptr<Capture> capture(new Capture);
    LoadOptions load_options;
    load_options.disabled = options.disabled;
    load_options.settings = {.agent_pid_namespace = options.pid_namespace,
                             .ring_count = std::min(options.rings, kMaxRings),
                             .request_bytes = options.request_bytes,
                             .response_bytes = options.response_bytes,
                             .unknown_bytes = options.unknown_bytes,
                             .has_queue_time = options.has_queue_time};
    if (options.has_queue_time) load_options.requested.push_back("arrival");
    load_options.map_entries["scratch"] = 2 * static_cast<std::uint32_t>(possible_cpus());
    load_options.map_entries["targets"] = options.max_targets;

    SensorReport& sockets = reports.emplace_back();
    capture->sockets_ = load(base_sensors()[0], load_options, sockets);
    if (!capture->sockets_) {
        std::string reasons;
        for (const std::string& reason : sockets.reasons) reasons += "\n  " + reason;
        return fail("no way to see socket traffic on this kernel:" + reasons);
    }
    // Where the sockets are seen by fexit, the message is at hand and so is io_uring's text.
    const bool is_by_tracepoint = sockets.chosen == "tp_btf";
    for (const char* shared : {"targets", "counters", "state", "rings", "scratch", "pending"})
        load_options.shared_maps[shared] = capture->sockets_->map_fd(shared);
    SensorReport& processes = reports.emplace_back();
    capture->processes_ = load(base_sensors()[1], load_options, processes);
    if (is_by_tracepoint) capture->io_uring_ = load(base_sensors()[2], load_options, reports.emplace_back());
    if (load_options.settings.agent_pid_namespace)
        capture->tasks_ = load(base_sensors()[3], load_options, reports.emplace_back());

    const Sensor& sensor = *capture->sockets_;
    capture->targets_ = sensor.map<std::uint32_t, wg_target>("targets");
    capture->rules_ = sensor.map<std::uint64_t, wg_connection_rules>("rules");
    capture->tails_ = sensor.map<wg_tail_key, wg_tail>("tails");
    capture->counters_fd_ = sensor.map_fd("counters");
    if (options.has_queue_time && (!is_by_tracepoint || !kernel_has_tracepoint("sk_data_ready")))
        log::warn("ebpf.queue_time: this kernel does not tell when bytes arrive (6.4 and later do, with tp_btf)");

    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    capture->state_bytes_ = (sizeof(wg_state) + page - 1) / page * page;
    void* mapped = ::mmap(nullptr, capture->state_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED,
                          sensor.map_fd("state"), 0);
    if (mapped == MAP_FAILED) return fail_errno("mapping the shared page");
    capture->state_ = static_cast<wg_state*>(mapped);
    capture->state_->has_io_uring = capture->io_uring_ != nullptr;

    const int outer = sensor.map_fd("rings");
    for (std::uint32_t i = 0; i < load_options.settings.ring_count; ++i) {
        Fd ring = TRY(create_ring(options.ring_bytes));
        const int fd = ring.get();
        if (const int error = map_update(outer, &i, &fd); error) return fail_errno("adding a ring", -error);
        capture->rings_.push_back(std::move(ring));
    }
    return capture;
}

Capture::~Capture() {
    detach();
    if (state_) ::munmap(state_, state_bytes_);
}

void Capture::detach() {
    if (sockets_) sockets_->detach();
    if (processes_) processes_->detach();
    if (io_uring_) io_uring_->detach();
}

void Capture::beat(std::uint64_t now_ns) {
    std::atomic_ref(state_->heartbeat_ns).store(now_ns, std::memory_order_relaxed);
}

void Capture::publish_rules() {
    std::atomic_ref(state_->rule_generation).fetch_add(1, std::memory_order_release);
}

void Capture::publish_targets() {
    std::atomic_ref(state_->target_generation).fetch_add(1, std::memory_order_release);
}

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

std::uint64_t Capture::missed_runs() const {
    return (sockets_ ? sockets_->missed_runs() : 0) + (processes_ ? processes_->missed_runs() : 0) +
           (io_uring_ ? io_uring_->missed_runs() : 0);
}

}  // namespace waggle::sensors
