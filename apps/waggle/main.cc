// SPDX-License-Identifier: Apache-2.0
// waggle: the command line. Exit status 0 for a clean stop, 2 for a usage or configuration error, 1 for a failure
// at run time (doctor: 1 when a feature is missing, 3 when no request could be seen; doctor --live: 1 when no agent
// answers, 3 when something was lost; stop: 3 when no agent runs); called as Beyla is called (-config, no subcommand),
// 255 for any.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/doctor.h"
#include "agent/live.h"
#include "agent/record.h"
#include "agent/replay.h"
#include "agent/stop.h"
#include "base/log.h"
#include "config/apply.h"
#include "config/load.h"

namespace {

using namespace waggle;

constexpr int kRunFailed = 1;
constexpr int kUsage = 2;
constexpr int kNothingWorks = 3;
constexpr int kLossy = 3;
constexpr int kNoAgent = 3;
constexpr int kBeylaFailed = 255;

constexpr const char* kExamples = R"(
Examples:
  waggle                                  watch every listening process, Prometheus on :9464
  waggle --open-port 8080 --print text    watch what listens on 8080, print each span
  waggle --otlp http://localhost:4318     send metrics and traces to a Collector
  waggle run --config waggle.yaml         everything from a file
  waggle doctor                           what this kernel lets Waggle do
  waggle doctor --live                    what the running agent has seen, exported and lost
  waggle stop                             end the running agent
  waggle explain 1234                     is process 1234 traced, and why
  waggle config check waggle.yaml         what is in force, and where it came from
  waggle record traffic.wgl               every event into a file, secrets masked
  waggle replay traffic.wgl               its spans again, anywhere
)";

struct CommandLine {
    std::string config_path;
    config::Flags flags;
    bool is_beyla = false;  // called as Beyla is: by its flag, or by its variables without a subcommand
    bool has_beyla_flag = false;
    std::string checked_path;  // waggle config check FILE: this one, whatever the environment says
};

void add_options(CLI::App& app, CommandLine& line) {
    app.add_option("-c,--config", line.config_path, "YAML file (Waggle's or Beyla's)");
    app.add_option("--open-port", line.flags.open_port, "watch processes that listen here: 80,443,8000-8999");
    app.add_option("--exe", line.flags.executable_name, "watch executables whose path matches this regular expression");
    app.add_flag_callback("--all", [&line] { line.flags.system_wide = "true"; }, "watch every process");
    app.add_option("--service-name", line.flags.service_name, "service name of what --open-port and --exe select");
    app.add_option("--print", line.flags.print, "print each span: text, json, json_indent, counter");
    app.add_option("--prometheus-port", line.flags.prometheus_port, "port of the Prometheus endpoint");
    app.add_option("--otlp", line.flags.otlp_endpoint, "OTLP endpoint for metrics and traces");
    app.add_option("--otlp-protocol", line.flags.otlp_protocol, "grpc, http/protobuf or http/json");
    app.add_option("--log-level", line.flags.log_level, "debug, info, warn or error");
    app.add_option("--profile", line.flags.profile, "metric names: otel or beyla");
    app.add_option_function<std::vector<std::string>>(
           "--set",
           [&line](const std::vector<std::string>& pairs) {
               for (const std::string& pair : pairs) {
                   const std::size_t equals = pair.find('=');
                   if (equals == std::string::npos)
                       throw CLI::ValidationError("--set", "'" + pair + "' is not key=value");
                   line.flags.set.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
               }
           },
           "any setting: --set ebpf.tick=10ms")
        ->allow_extra_args(false);  // else a subcommand after it would be its value
}

Result<config::Loaded> load(const CommandLine& line) {
    const config::Environment environment = config::process_environment();
    config::Flags flags = line.flags;
    flags.is_beyla_file = line.has_beyla_flag;
    const std::string path =
        line.checked_path.empty() ? config::config_path(line.config_path, environment) : line.checked_path;
    return config::load_file(path, environment, flags);
}

log::Level native(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::Debug:
            return log::Level::Debug;
        case config::LogLevel::Info:
            return log::Level::Info;
        case config::LogLevel::Warn:
            return log::Level::Warn;
        case config::LogLevel::Error:
            return log::Level::Error;
    }
    return log::Level::Info;
}

int fail_with(const CommandLine& line, int status, const Error& error) {
    std::fprintf(stderr, "waggle: %s\n", error.message.c_str());
    return line.is_beyla ? kBeylaFailed : status;
}

int run(const CommandLine& line, const std::string& record_path, bool unmasked) {
    auto loaded = load(line);
    if (!loaded) return fail_with(line, kUsage, loaded.error());
    log::set_level(native(loaded->config.log_level));
    for (const config::Diagnostic& warning : loaded->warnings) log::warn("{}", warning.text());
    agent::RunOptions options;
    options.loaded = std::move(*loaded);
    options.reload = [&line] { return load(line); };
    std::unique_ptr<agent::RecordWriter> writer;
    if (!record_path.empty()) {
        auto opened = agent::RecordWriter::create(record_path, !unmasked);
        if (!opened) return fail_with(line, kUsage, opened.error());
        writer = std::move(*opened);
        options.recorder = writer.get();
    }
    auto done = agent::run(options);
    if (done && writer) done = writer->finish();
    return done ? 0 : fail_with(line, kRunFailed, done.error());
}

int check(const CommandLine& line) {
    auto loaded = load(line);
    if (!loaded) return fail_with(line, kUsage, loaded.error());
    for (const config::Diagnostic& warning : loaded->warnings)
        std::fprintf(stderr, "warning: %s\n", warning.text().c_str());
    std::fputs(config::print(*loaded).c_str(), stdout);
    return 0;
}

int doctor(const CommandLine& line, bool as_json) {
    auto loaded = load(line);
    if (!loaded) return fail_with(line, kUsage, loaded.error());
    const agent::Diagnosis diagnosis = agent::doctor(loaded->config, as_json);
    std::fputs(diagnosis.text.c_str(), stdout);
    if (!diagnosis.can_capture) return kNothingWorks;
    return diagnosis.is_complete ? 0 : kRunFailed;
}

int live(const CommandLine& line, bool as_json) {
    auto loaded = load(line);
    if (!loaded) return fail_with(line, kUsage, loaded.error());
    agent::apply_defaults(loaded->config);
    const auto report = agent::ask_agent(loaded->config);
    if (!report) return fail_with(line, kRunFailed, report.error());
    std::fputs((as_json ? report->json : report->text).c_str(), stdout);
    return report->is_balanced ? 0 : kLossy;
}

int stop(const CommandLine& line, std::uint32_t pid, double patience_s) {
    auto loaded = load(line);
    if (!loaded) return fail_with(line, kUsage, loaded.error());
    agent::apply_defaults(loaded->config);
    const auto patience = std::chrono::milliseconds(static_cast<std::int64_t>(patience_s * 1000));
    const agent::Stopped stopped = agent::stop_agent(loaded->config, pid, patience);
    const bool is_done = stopped.outcome == agent::StopOutcome::Stopped;
    std::fprintf(is_done ? stdout : stderr, "%s%s\n", is_done ? "" : "waggle: ", stopped.text.c_str());
    if (is_done) return 0;
    return stopped.outcome == agent::StopOutcome::NoAgent ? kNoAgent : kRunFailed;
}

int explain(const CommandLine& line, std::uint32_t pid) {
    auto loaded = load(line);
    if (!loaded) return fail_with(line, kUsage, loaded.error());
    agent::apply_defaults(loaded->config);
    const auto explanation = agent::explain(loaded->config, pid);
    if (!explanation) return fail_with(line, kUsage, explanation.error());
    std::fputs(explanation->text.c_str(), stdout);
    return explanation->is_process ? 0 : kRunFailed;
}

int replay(const CommandLine& line, const std::string& path) {
    auto loaded = load(line);
    if (!loaded) return fail_with(line, kUsage, loaded.error());
    if (auto done = agent::replay(path, loaded->config); !done) return fail_with(line, kRunFailed, done.error());
    return 0;
}

// Beyla's only flag has one dash.
std::vector<std::string> arguments(int argc, char** argv, bool& is_beyla) {
    std::vector<std::string> result;
    for (int i = 1; i < argc; ++i) {
        std::string argument = argv[i];
        if (argument == "-config" || argument.starts_with("-config=")) {
            is_beyla = true;
            argument.insert(0, "-");
        }
        result.push_back(std::move(argument));
    }
    return {result.rbegin(), result.rend()};  // CLI11 takes them from the back
}

}  // namespace

int main(int argc, char** argv) {
    CommandLine line;
    CLI::App app("Waggle sees every service on this host and reports its requests, untouched.", "waggle");
    app.footer(kExamples);
    app.set_version_flag("--version", "waggle " WAGGLE_VERSION);
    app.require_subcommand(0, 1);
    app.fallthrough();
    add_options(app, line);

    std::string record_path;
    std::string replay_path;
    std::uint32_t pid = 0;
    bool as_json = false;
    bool is_live = false;
    bool unmasked = false;
    double patience_s = 30;
    CLI::App* run_command = app.add_subcommand("run", "watch and report (the default)");
    CLI::App* doctor_command = app.add_subcommand("doctor", "what this kernel and these privileges let Waggle do");
    doctor_command->footer(
        "Exit status: 0 everything is there; 1 a feature is missing; 2 bad usage or configuration;\n"
        "3 no request could be seen. With --live: 0 nothing is lost; 1 no agent answers; 3 something is lost.");
    doctor_command->add_flag("--json", as_json, "as JSON");
    doctor_command->add_flag("--live", is_live, "ask the running agent what it has seen, exported and lost");
    CLI::App* stop_command = app.add_subcommand("stop", "end the running agent; capture ends at once");
    stop_command->footer(
        "Exit status: 0 it has ended; 1 it could not be stopped; 2 bad usage or configuration; 3 no agent runs.");
    stop_command->add_option("--pid", pid, "this one, where several run");
    stop_command->add_option("--timeout", patience_s, "seconds to wait for its end")
        ->check(CLI::Range(0.0, 86400.0))
        ->capture_default_str();
    CLI::App* explain_command = app.add_subcommand("explain", "is a process traced, under which name, and why");
    explain_command->add_option("pid", pid, "process id")->required();
    CLI::App* record_command = app.add_subcommand("record", "run, and write every event to a file");
    record_command->add_option("file", record_path, "file to write")->required();
    record_command->add_flag("--unmasked", unmasked, "keep payload as it is (bodies and secrets included)");
    CLI::App* replay_command = app.add_subcommand("replay", "print the spans of a recorded file");
    replay_command->add_option("file", replay_path, "file to read")->required();
    CLI::App* config_command = app.add_subcommand("config", "about configuration files");
    CLI::App* check_command = config_command->add_subcommand("check", "check a file; print what is in force and why");
    check_command->add_option("file", line.checked_path, "YAML file")->required();
    config_command->require_subcommand(1);

    try {
        app.parse(arguments(argc, argv, line.has_beyla_flag));
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : line.has_beyla_flag ? kBeylaFailed : kUsage;
    }
    line.is_beyla = line.has_beyla_flag ||
                    (app.get_subcommands().empty() && config::has_beyla_variable(config::process_environment()));
    if (doctor_command->parsed() && is_live) return live(line, as_json);
    if (stop_command->parsed()) return stop(line, pid, patience_s);
    if (doctor_command->parsed()) return doctor(line, as_json);
    if (explain_command->parsed()) return explain(line, pid);
    if (replay_command->parsed()) return replay(line, replay_path);
    if (check_command->parsed()) return check(line);
    (void)run_command;
    return run(line, record_path, unmasked);
}
