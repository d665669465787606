// SPDX-License-Identifier: Apache-2.0
// TlsFiles: which of the files that a process has mapped are TLS libraries, and where in them probes go. Looks
// into each file once, however many processes map it. From one thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "proc/procfs.h"
#include "sensors/tls_probes.h"

namespace waggle::agent {

// What was found out about a file.
struct TlsFile {
    std::string library;  // or several, with commas; empty: none
    std::vector<sensors::TlsPlace> places;
    std::string failure;  // the library is there, but cannot be read
    void add(std::string_view name, const std::string& why_not);
    // Its functions were found by their code: nothing is believed of them before it is proven.
    bool is_by_code() const;
};

// A file of a process, open so that nobody can put another one in its place.
struct OpenTlsFile {
    Fd fd;
    std::string path;  // as the process calls it
    std::uint64_t inode = 0;
    std::shared_ptr<const TlsFile> file;
    std::string open_path() const { return "/proc/self/fd/" + std::to_string(fd.get()); }
};

// Another descriptor of it.
Fd same(const Fd& file);

class TlsCache;

class TlsFiles {
  public:
    // What is found out is kept in the folder, if one is given. Libraries without symbols are looked for by their code,
    // or not.
    explicit TlsFiles(proc::ProcFs procfs, std::string cache_folder = {}, bool looks_at_code = true);
    ~TlsFiles();
    // The TLS libraries among the process's files.
    std::vector<OpenTlsFile> of(std::uint32_t pid) {
        return among(pid, procfs_.mapped_code(pid).value_or(proc::MappedCodes())).files;
    }
    // … but after that time no file is looked through that is not known yet.
    struct Found {
        std::vector<OpenTlsFile> files;
        proc::MappedCodes left;        // for which there was no time, or no descriptor
        bool waits_for_large = false;  // … all of them: large files are looked through one after the other
        bool is_short = false;         // of descriptors or memory: a while from now there may be some
    };
    Found among(std::uint32_t pid, const proc::MappedCodes& mapped,
                std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max());
    // Asked for files that are nowhere to be found any longer: they may be open, since another process has them mapped.
    using OpenAlready = std::function<Fd(const proc::MappedCode&)>;
    void ask_for_open_files(OpenAlready open_already) { open_already_ = std::move(open_already); }
    const proc::ProcFs& procfs() const { return procfs_; }
    // Files that were looked through, and those of which the folder told.
    std::uint64_t examined() const { return examined_; }
    std::uint64_t remembered() const { return remembered_; }

  private:
    struct Key {
        std::uint64_t device, inode, size, modified_ns;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    std::vector<std::string> elsewhere(std::uint32_t pid, const proc::MappedCode& mapped) const;
    // Not open where it is nowhere; fails only where it may be found later.
    Result<Fd> open(std::uint32_t pid, const proc::MappedCode& mapped) const;
    enum class Size { Usual, Large };
    // Nothing when there is no time for it. Fails where it may work later.
    using Known = std::pair<std::shared_ptr<const TlsFile>, Size>;
    Result<Known> look_into(const Fd& file, std::chrono::steady_clock::time_point until);
    // A large file, on a thread of its own, one at a time: verdicts on other processes do not wait for it.
    Result<void> look_apart(const Fd& file, const Key& key);
    void take_what_is_ready();
    Result<TlsFile> examine(const Fd& file, std::uint64_t modified_ns);

    static constexpr std::size_t kMaxKnown = 16384;
    static constexpr std::uint64_t kLarge = 32u << 20;
    proc::ProcFs procfs_;
    std::map<Key, std::shared_ptr<const TlsFile>> known_;
    std::unique_ptr<TlsCache> cache_;
    OpenAlready open_already_;
    bool looks_at_code_;
    bool has_shadow_stacks_;
    std::mutex cache_mutex_;
    std::atomic<std::uint64_t> examined_ = 0;
    std::atomic<std::uint64_t> remembered_ = 0;
    Key apart_key_{};
    Fd apart_file_;
    std::optional<Error> apart_error_;    // of the last one
    std::future<Result<TlsFile>> apart_;  // the last: its end is waited for before the others go
};

// What waggle explain says of a process's encrypted traffic, in lines.
std::vector<std::string> explain_tls(std::uint32_t pid, bool looks_at_code);

}  // namespace waggle::agent
