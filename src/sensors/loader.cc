// SPDX-License-Identifier: Apache-2.0
#include "sensors/loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

#include "base/fd.h"
#include "base/log.h"
#include "base/parallel.h"
#include "sensors/kprobe.h"

namespace waggle::sensors {
namespace {

// libbpf prints through one global function: keep the last lines for the report of a failure.
thread_local std::string last_messages;

int keep_message(enum libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG) return 0;
    char* text = nullptr;
    if (::vasprintf(&text, format, arguments) < 0) return 0;
    last_messages += text;
    std::free(text);
    // A verifier's log is long, and its end says why: keep the first line and the end.
    constexpr size_t kKept = 16384;
    if (last_messages.size() > kKept) last_messages.erase(kKept / 4, last_messages.size() - kKept);
    return 0;
}

const btf* kernel_btf() {
    static const btf* instance = btf__load_vmlinux_btf();
    return instance;
}

bool is_present(const bpf_program* found, const Program& program) {
    if (program.needs.empty()) return true;
    return std::string_view(bpf_program__section_name(found)).starts_with("tp_btf/")
               ? kernel_has_tracepoint(program.needs)
               : kernel_has_function(program.needs);
}

void share_maps_of(const bpf_object* object, LoadOptions& with) {
    const bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        const std::string name = bpf_map__name(map);
        if (!name.contains('.')) with.shared_maps[name] = bpf_map__fd(map);
    }
}

std::string first_line_of_failure() {
    // The line that says why stands before "-- BEGIN PROG LOAD LOG"; keep one line.
    const size_t end = last_messages.find('\n');
    return last_messages.substr(0, std::min<size_t>(end, 200));
}

}  // namespace

bool kernel_has_tracepoint(std::string_view name) {
    const std::string type = "btf_trace_" + std::string(name);
    return kernel_btf() && btf__find_by_name_kind(kernel_btf(), type.c_str(), BTF_KIND_TYPEDEF) > 0;
}

bool kernel_has_function(std::string_view name) {
    return kernel_btf() && btf__find_by_name_kind(kernel_btf(), std::string(name).c_str(), BTF_KIND_FUNC) > 0;
}

bool kernel_preempts_tracepoints() {
    return kernel_btf() && btf__find_by_name_kind(kernel_btf(), "tracepoint_srcu_srcu_data", BTF_KIND_VAR) > 0 &&
           btf__find_by_name_kind(kernel_btf(), "class_srcu_fast_notrace_t", BTF_KIND_TYPEDEF) > 0;
}

int possible_cpus() { return std::max(1, libbpf_num_possible_cpus()); }

void raise_memory_limit() {
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_MEMLOCK, &unlimited);  // without the capability the load itself will tell
}

Sensor::Sensor() = default;

Sensor::~Sensor() {
    detach();
    for (bpf_object* part : parts_) bpf_object__close(part);
    if (object_) bpf_object__close(object_);
}

void Sensor::detach() {
    for (bpf_link* link : links_) bpf_link__destroy(link);
    links_.clear();
    probes_.reset();
}

int Sensor::map_fd(std::string_view name) const {
    const bpf_map* map = bpf_object__find_map_by_name(object_, std::string(name).c_str());
    return map ? bpf_map__fd(map) : -1;
}

bpf_program* Sensor::program(std::string_view name) const {
    for (const bpf_object* part : parts_)
        if (bpf_program* found = bpf_object__find_program_by_name(part, std::string(name).c_str());
            found && bpf_program__autoload(found))
            return found;
    return bpf_object__find_program_by_name(object_, std::string(name).c_str());
}

int Sensor::program_fd(std::string_view name) const {
    const bpf_program* found = program(name);
    return found ? bpf_program__fd(found) : -1;
}

Result<std::string> Sensor::read_iterator() const {
    if (links_.empty()) return fail("no iterator is attached");
    const Fd run(bpf_iter_create(bpf_link__fd(links_.front())));
    if (run.get() < 0) return fail_errno("starting an iterator");
    std::string all;
    char buffer[4096];
    for (;;) {
        const ssize_t got = ::read(run.get(), buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("reading an iterator");
        if (got == 0) return all;
        all.append(buffer, static_cast<std::size_t>(got));
    }
}

MissedRuns Sensor::missed_runs() const {
    MissedRuns missed;
    for (const auto& [name, fd] : program_fds_) {
        bpf_prog_info info{};
        __u32 size = sizeof(info);
        if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0) missed[name] = info.recursion_misses;
    }
    return missed;
}

void Sensor::share_maps(LoadOptions& with) const { share_maps_of(object_, with); }

namespace {

struct Attempt {
    bpf_object* object = nullptr;
    std::vector<bpf_object*> parts;
    std::vector<bpf_link*> links;
    std::unique_ptr<KernelProbes> probes;
    std::map<std::string, int> program_fds;
    std::string failure;
    bool lacks_tracefs = false;

    void undo() {
        for (bpf_link* link : links) bpf_link__destroy(link);
        probes.reset();
        for (bpf_object* part : parts) bpf_object__close(part);
        if (object) bpf_object__close(object);
        *this = Attempt{.failure = std::move(failure), .lacks_tracefs = lacks_tracefs};
    }
};

bool configure(bpf_object* object, const LoadOptions& options, std::string& failure) {
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        const std::string name = bpf_map__name(map);
        if (const auto entries = options.map_entries.find(name); entries != options.map_entries.end())
            bpf_map__set_max_entries(map, entries->second);
        if (const auto shared = options.shared_maps.find(name); shared != options.shared_maps.end()) {
            if (bpf_map__reuse_fd(map, shared->second)) {
                failure = "map " + name + " cannot be shared";
                return false;
            }
        }
        if (name.ends_with(".rodata")) {
            if (bpf_map__set_initial_value(map, &options.settings, sizeof(wg_settings))) {
                failure = "constants do not fit the object";
                return false;
            }
        }
    }
    return true;
}

// The object with none but the alternative's programs to be loaded; those are added to chosen.
bool open_object(const SensorSpec& spec, const Alternative& alternative, const LoadOptions& options, Attempt& result,
                 std::vector<bpf_program*>& chosen, std::vector<std::string>& notes) {
    size_t size = 0;
    const void* bytes = (alternative.object ? alternative.object : spec.object)(&size);
    DECLARE_LIBBPF_OPTS(bpf_object_open_opts, open_options);
    const std::string name(spec.name);
    open_options.object_name = name.c_str();
    result.object = bpf_object__open_mem(bytes, size, &open_options);
    if (!result.object) {
        result.failure = "object cannot be opened: " + first_line_of_failure();
        return false;
    }
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, result.object) bpf_program__set_autoload(program, false);
    for (const Program& wanted : alternative.programs) {
        if (wanted.is_on_request && std::ranges::find(options.requested, wanted.name) == options.requested.end())
            continue;
        bpf_program* found = bpf_object__find_program_by_name(result.object, std::string(wanted.name).c_str());
        if (!found || !is_present(found, wanted)) {
            if (found && wanted.is_optional) {
                notes.push_back(std::string(wanted.needs) + ": not in this kernel");
                continue;
            }
            result.failure = std::string(wanted.needs) + ": not in this kernel";
            return false;
        }
        bpf_program__set_autoload(found, true);
        if (wanted.attach_type)
            bpf_program__set_expected_attach_type(found, static_cast<bpf_attach_type>(wanted.attach_type));
        chosen.push_back(found);
    }
    for (const Probe& probe : alternative.probes)
        bpf_program__set_autoload(bpf_object__find_program_by_name(result.object, std::string(probe.program).c_str()),
                                  true);
    return true;
}

bool load_object(const SensorSpec& spec, const Alternative& alternative, const LoadOptions& options, Attempt& result) {
    if (!configure(result.object, options, result.failure)) return false;
    const int error = bpf_object__load(result.object);
    if (!error) return true;
    result.failure = std::string(std::strerror(-error)) + " (" + first_line_of_failure() + ")";
    log::debug("{} by {}: {}", spec.name, alternative.name, last_messages);
    return false;
}

// Names of programs in groups of about the same size: as many as there are processors and large programs, at most four.
using Groups = std::vector<std::vector<std::string_view>>;

Groups share_out(std::vector<bpf_program*> programs) {
    constexpr std::size_t kLarge = 1500, kMostGroups = 4;  // instructions
    const auto size = [](const bpf_program* program) { return bpf_program__insn_cnt(program); };
    const auto large = static_cast<std::size_t>(
        std::ranges::count_if(programs, [&](const bpf_program* program) { return size(program) >= kLarge; }));
    const std::size_t count = std::min<std::size_t>({large, kMostGroups, std::thread::hardware_concurrency()});
    Groups groups(std::max<std::size_t>(count, 1));
    std::vector<std::size_t> sizes(groups.size());
    std::ranges::sort(programs, std::greater{}, size);
    for (const bpf_program* program : programs) {
        const auto least = static_cast<std::size_t>(std::ranges::min_element(sizes) - sizes.begin());
        sizes[least] += size(program);
        groups[least].push_back(bpf_program__name(program));
    }
    return groups;
}

// The kernel takes its time to verify programs: the object has the maps only, and each group is verified in an object
// of its own by a thread of its own. `chosen` are their programs then.
bool load_parts(const SensorSpec& spec, const Alternative& alternative, const LoadOptions& options,
                const Groups& groups, Attempt& result, std::vector<bpf_program*>& chosen) {
    for (bpf_program* program : chosen) bpf_program__set_autoload(program, false);
    if (!load_object(spec, alternative, options, result)) return false;
    LoadOptions shared = options;
    share_maps_of(result.object, shared);
    std::vector<Attempt> parts(groups.size());
    std::vector<std::vector<bpf_program*>> loaded(groups.size());
    in_parallel(groups.size(), groups.size(), [&](std::size_t i) {
        last_messages.clear();
        Alternative own = alternative;
        std::erase_if(own.programs,
                      [&](const Program& row) { return std::ranges::find(groups[i], row.name) == groups[i].end(); });
        std::vector<std::string> notes;
        if (!open_object(spec, own, options, parts[i], loaded[i], notes) || !load_object(spec, own, shared, parts[i]))
            loaded[i].clear();
    });
    chosen.clear();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].object) result.parts.push_back(parts[i].object);
        if (loaded[i].empty()) result.failure = parts[i].failure;
        chosen.insert(chosen.end(), loaded[i].begin(), loaded[i].end());
    }
    return result.failure.empty();
}

bool attach(const Alternative& alternative, const std::vector<bpf_program*>& programs, Attempt& result,
            std::vector<std::string>& notes) {
    for (bpf_program* program : programs) {
        result.program_fds[bpf_program__name(program)] = bpf_program__fd(program);
        const auto row = std::ranges::find(alternative.programs, bpf_program__name(program), &Program::name);
        if (row != alternative.programs.end() && row->is_by_hand) continue;
        bpf_link* link = bpf_program__attach(program);
        if (!link) {
            result.failure = std::string(bpf_program__name(program)) + ": attach: " + std::strerror(errno);
            return false;
        }
        result.links.push_back(link);
    }
    if (alternative.probes.empty()) return true;
    result.probes = std::make_unique<KernelProbes>();
    result.lacks_tracefs = !result.probes->has_tracefs();
    for (const Probe& probe : alternative.probes) {
        if (!kernel_has_function(probe.function) && probe.is_optional) {
            notes.push_back(std::string(probe.function) + ": not in this kernel");
            continue;
        }
        const bpf_program* program =
            bpf_object__find_program_by_name(result.object, std::string(probe.program).c_str());
        if (auto done = result.probes->add(probe.function, probe.is_return, bpf_program__fd(program)); !done) {
            result.failure = done.error().message;
            return false;
        }
    }
    return true;
}

Attempt attempt(const SensorSpec& spec, const Alternative& alternative, const LoadOptions& options,
                std::vector<std::string>& notes) {
    Attempt result;
    last_messages.clear();
    std::vector<bpf_program*> chosen;
    if (!open_object(spec, alternative, options, result, chosen, notes)) {
        result.undo();
        return result;
    }
    const auto groups = alternative.probes.empty() && !options.is_beside_others ? share_out(chosen) : Groups{};
    const bool is_loaded = groups.size() > 1 ? load_parts(spec, alternative, options, groups, result, chosen)
                                             : load_object(spec, alternative, options, result);
    if (!is_loaded || !attach(alternative, chosen, result, notes)) result.undo();
    return result;
}

}  // namespace

std::unique_ptr<Sensor> load(const SensorSpec& spec, const LoadOptions& options, SensorReport& report) {
    static const libbpf_print_fn_t before = libbpf_set_print(keep_message);  // once, by whichever thread
    (void)before;
    report.name = spec.name;
    report.cost_of_absence = spec.cost_of_absence;
    for (const Alternative& alternative : spec.alternatives) {
        if (std::ranges::find(options.disabled, alternative.name) != options.disabled.end()) {
            report.reasons.push_back(std::string(alternative.name) + ": disabled by configuration");
            continue;
        }
        std::vector<std::string> notes;
        Attempt result = attempt(spec, alternative, options, notes);
        if (!result.object) {
            report.reasons.push_back(std::string(alternative.name) + ": " + result.failure);
            report.lacks_tracefs |= result.lacks_tracefs;
            continue;
        }
        report.state = report.reasons.empty() ? SensorState::Active : SensorState::Degraded;
        report.chosen = alternative.name;
        for (std::string& note : notes) report.reasons.push_back(std::move(note));
        std::unique_ptr<Sensor> sensor(new Sensor);
        sensor->object_ = result.object;
        sensor->parts_ = std::move(result.parts);
        sensor->links_ = std::move(result.links);
        sensor->probes_ = std::move(result.probes);
        sensor->program_fds_ = std::move(result.program_fds);
        return sensor;
    }
    return nullptr;
}

}  // namespace waggle::sensors
