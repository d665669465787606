// SPDX-License-Identifier: Apache-2.0
// TlsProbes: the programs on TLS libraries, and the probes that run them in chosen processes. By uprobe_multi
// (6.6), which is let go of in milliseconds, else by perf events, which take about 80 ms each.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "bpf/abi/tls.h"
#include "sensors/loader.h"
#include "sensors/releaser.h"

namespace waggle::sensors {

// A place in a file's code, and what it means there.
struct TlsPlace {
    std::uint64_t offset;  // in the file
    wg_tls_site site;
    std::uint32_t depth;  // of the stack there
    std::uint64_t cookie() const { return site | static_cast<std::uint64_t>(depth) << WG_TLS_DEPTH_SHIFT; }
    friend auto operator<=>(const TlsPlace&, const TlsPlace&) = default;
};

// What agent/tls_links.h wants of them. Any thread.
class TlsLinker {
  public:
    virtual ~TlsLinker() = default;
    // Probes in this process only, whatever else maps the file; `pid` as the agent numbers it, `file` as it likes.
    virtual Result<void> attach(std::uint32_t pid, std::uint32_t file, const std::string& path,
                                std::span<const TlsPlace> places) = 0;
    // One link for every process that maps the file, now and later: only by uprobe_multi, and for numbers of files from
    // 1 up to WG_TLS_MAX_FILES. A call that passes this one and one of its process is told once: the second one finds
    // that the call has begun, or is over. Not so what rustls decrypts, which has no end.
    virtual bool can_share(std::uint32_t file, std::span<const TlsPlace> places) const = 0;
    virtual Result<void> share(std::uint32_t file, const std::string& path, std::span<const TlsPlace> places) = 0;
    virtual void unshare(std::uint32_t file) = 0;
    // Has a process that is no target run into the file's shared link?
    virtual bool has_stranger(std::uint32_t file) const = 0;
    // The processes' own probes on this file go; their sessions stay.
    virtual void detach_file(std::uint32_t file, std::span<const std::uint32_t> pids) = 0;
};

class TlsProbes : public TlsLinker {
  public:
    // Null when it does not load; the report says why. By uprobe_multi only where a link for process `tried` sees this
    // one's threads; for a test another process stands in for a kernel whose links do not.
    static std::unique_ptr<TlsProbes> start(const LoadOptions& options, SensorReport& report,
                                            std::uint32_t tried = static_cast<std::uint32_t>(::getpid()));
    ~TlsProbes() override;
    TlsProbes(const TlsProbes&) = delete;
    TlsProbes& operator=(const TlsProbes&) = delete;

    // Says which calls the socket hooks are to look for, as soon as the first probe is set. It outlives stop().
    void set_flag(std::uint32_t* has_tls) { has_tls_ = has_tls; }
    Result<void> attach(std::uint32_t pid, std::uint32_t file, const std::string& path,
                        std::span<const TlsPlace> places) override;
    bool can_share(std::uint32_t file, std::span<const TlsPlace> places) const override;
    Result<void> share(std::uint32_t file, const std::string& path, std::span<const TlsPlace> places) override;
    void unshare(std::uint32_t file) override;
    bool has_stranger(std::uint32_t file) const override;
    void detach_file(std::uint32_t file, std::span<const std::uint32_t> pids) override;
    struct Gone {
        std::uint32_t pid;
        std::uint32_t kernel_tgid;
    };
    // Takes the probes that the processes have for themselves, and forgets their sessions.
    void detach(std::span<const Gone> gone);
    // None come after. By uprobe_multi all of them go; perf events, which take longer, go with this object: until then
    // they run into a switch that is off.
    void stop();
    MissedRuns missed_runs() const { return sensor_->missed_runs(); }

  private:
    void detach_all();
    TlsProbes(std::unique_ptr<Sensor> sensor, bool is_multi) : sensor_(std::move(sensor)), is_multi_(is_multi) {}
    Result<void> attach_each(std::uint32_t pid, const std::string& path, std::span<const TlsPlace> places,
                             ProbeLinks& links);
    Result<void> attach_multi(std::uint32_t pid, std::uint32_t shared_file, const std::string& path,
                              std::span<const TlsPlace> places, ProbeLinks& links);
    Result<void> check_room() const;
    void expect(std::span<const TlsPlace> places);

    std::unique_ptr<Sensor> sensor_;
    bool is_multi_;
    std::uint32_t* has_tls_ = nullptr;
    std::mutex mutex_;
    bool is_over_ = false;
    std::map<std::uint32_t, std::map<std::uint32_t, ProbeLinks>> by_pid_;  // and by file
    std::map<std::uint32_t, ProbeLinks> shared_;                           // by file
    Releaser releaser_;
};

const SensorSpec& tls_sensor();

}  // namespace waggle::sensors
