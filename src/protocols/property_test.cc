// SPDX-License-Identifier: Apache-2.0
// Many connections at once, some of them above TLS, their events late, out of order and, in the second test, lost:
// every span is exact, or says that it is not whole and a loss is counted. A pair is never wrong.
#include <gtest/gtest.h>

#include <map>
#include <queue>
#include <set>

#include "protocols/testing/encrypted.h"
#include "protocols/testing/requests.h"
#include "protocols/testing/seeds.h"
#include "protocols/testing/traffic.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kTickNs = 5'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;

struct Losses {
    double data = 0;
    double connection = 0;
};

// What a span said, copied before its batch is recycled.
struct Seen {
    std::string method;
    std::int64_t status = 0;
    std::int64_t request_body = -1;
    std::int64_t response_body = -1;
    std::uint64_t start_ns = 0;
    std::uint64_t end_ns = 0;
    std::uint64_t connection = 0;
    std::int64_t peer_port = 0;
    spans::SpanKind kind = spans::SpanKind::Internal;
    spans::Incomplete incomplete = spans::Incomplete::No;
};

class World {
  public:
    World(std::uint64_t seed, Losses losses)
        : random_(seed), losses_(losses), host_({.options = {}, .seed = seed, .threads_are_contexts = {}}) {}

    void run(std::uint64_t connections) {
        TrafficSource source(random_);
        for (std::uint64_t id = 1; id <= connections; ++id) {
            const std::uint64_t start = kSecond + random_.below(200'000'000);
            add(id, source.talk(id, start));
        }
        for (std::uint64_t now = kSecond; now <= last_ns_ + 2 * kTickNs; now += kTickNs) {
            while (!agenda_.empty() && agenda_.top().at_ns <= now) {
                const Entry entry = agenda_.top();
                agenda_.pop();
                happen(entry);
            }
            host_.tick(now);
            collect();
        }
        // The last sweeps, long after: what still waits for a response stays open, and a library's call may return
        // after its socket's close.
        for (std::uint64_t after = 1; after <= 4; ++after) {
            host_.tick(last_ns_ + after * kSecond);
            collect();
        }
        open_at_end_ = host_.tracker().open_exchanges();
        seen_ = counts().seen;
        exported_ = counts().exported;
        host_.tracker().finish(last_ns_ + 5 * kSecond, host_.batch());
        collect();
    }

    // A span's path leads to its answer; everything it claims must be that answer's.
    void check(bool is_exact) {
        EXPECT_EQ(duplicates_, 0u);
        EXPECT_EQ(seen_, exported_ + open_at_end_);
        EXPECT_EQ(counts().seen, counts().exported);
        std::uint64_t missing = 0;
        for (const auto& [id, talk] : talks_)
            for (const Answer& answer : talk.answers) {
                const auto found = spans_.find(answer.path);
                if (found == spans_.end()) {
                    ++missing;
                    EXPECT_FALSE(is_exact) << answer.path << " is missing";
                    continue;
                }
                SCOPED_TRACE(answer.path + (talk.is_pipelined ? " pipelined" : "") +
                             (encrypted_.contains(id) ? " encrypted" : "") +
                             (servers_.contains(id) ? " server" : " client") + (lossy_.contains(id) ? " lossy" : ""));
                if (encrypted_.contains(id)) {  // above its own socket
                    const bool is_server = servers_.contains(id);
                    EXPECT_EQ(found->second.kind, is_server ? spans::SpanKind::Server : spans::SpanKind::Client);
                    EXPECT_EQ(found->second.peer_port, is_server ? 20000 + static_cast<std::int64_t>(id) : 8080);
                }
                check(answer, found->second, is_exact || !lossy_.contains(id), talk.is_pipelined);
                spans_.erase(found);
            }
        for (const auto& [path, seen] : spans_) ADD_FAILURE() << "a span of no exchange: " << path;
        if (missing) {
            EXPECT_GT(dropped_, 0u);
        }
        if (missing + incomplete_ > 0) {
            const Counts counted = sum(host_.tracker().counts());
            EXPECT_GT(counted.of(Cause::Hole) + counted.of(Cause::Unmatched) + counted.of(Cause::ParseInvalid), 0u);
        }
        missing_ = missing;
    }

    const Counts& counts() { return host_.tracker().counts()[0]; }
    std::uint64_t missing() const { return missing_; }
    std::uint64_t dropped() const { return dropped_; }
    std::uint64_t whole() const { return whole_; }

  private:
    struct Entry {
        std::uint64_t at_ns;
        std::uint64_t id;
        std::uint64_t order;  // of entries at one time
        std::size_t step;
        enum class What { Move, Report, End, Close } what;
        bool operator<(const Entry& other) const {
            return std::pair(at_ns, order) > std::pair(other.at_ns, other.order);
        }
    };

    void add(std::uint64_t id, Talk talk) {
        SocketOptions options{.id = id, .client_port = static_cast<std::uint16_t>(20000 + id)};
        options.role = random_.chance(0.5) ? WG_ROLE_SERVER : WG_ROLE_CLIENT;
        options.kind = random_.chance(0.15) ? WG_UNIX : random_.chance(0.1) ? WG_MPTCP : WG_TCP;
        options.is_connection_lost = random_.chance(losses_.connection);
        const bool is_server = options.role == WG_ROLE_SERVER;
        if (is_server) servers_.insert(id);
        if (random_.chance(0.2)) {
            options.kind = WG_TCP;
            options.is_connection_lost = false;
            const Binding binding = random_.chance(0.5) ? Binding::Kernel : Binding::Records;
            options = add_encrypted(host_, options, binding, talk.steps.front().time_ns, thread_of(id)).options();
            encrypted_.insert(id);
        } else {
            host_.add(options);
        }
        for (std::size_t i = 0; i < talk.steps.size(); ++i) {
            const std::uint64_t at = talk.steps[i].time_ns;
            const bool is_send = talk.steps[i].is_request != is_server;
            agenda_.push({at, id, order_++, i, Entry::What::Move});
            // The hook of a send runs when the call returns, before the thread's next send.
            std::uint64_t late = at;
            if (is_send && options.kind == WG_TCP && !options.is_plain && random_.chance(0.3)) {
                std::uint64_t limit = at + 1'400'000;
                for (std::size_t k = i + 1; k < talk.steps.size(); ++k)
                    if (talk.steps[k].is_request == talk.steps[i].is_request) {
                        limit = std::min(limit, talk.steps[k].time_ns - 1);
                        break;
                    }
                late = random_.between(at, limit);
            }
            agenda_.push({late, id, order_++, i, Entry::What::Report});
            last_ns_ = std::max(last_ns_, late);
        }
        if (talk.is_closed) {
            const std::uint64_t end = talk.steps.back().time_ns + 1'500'000;
            if (is_server && !options.is_plain) agenda_.push({end, id, order_++, 0, Entry::What::End});
            agenda_.push({end + 100'000, id, order_++, 0, Entry::What::Close});
            last_ns_ = std::max(last_ns_, end + 100'000);
        }
        talks_[id] = std::move(talk);
    }

    // Connections share threads, but not where what tells them apart may be lost.
    std::uint64_t thread_of(std::uint64_t id) const { return losses_.data > 0 ? id : id % 4; }

    void happen(const Entry& entry) {
        Talk& talk = talks_[entry.id];
        const bool is_encrypted = encrypted_.contains(entry.id);
        Socket& socket = host_.socket(is_encrypted ? entry.id | WG_PLAIN_ID : entry.id);
        const bool is_server = servers_.contains(entry.id);
        if (entry.what == Entry::What::Move) {
            const Step& step = talk.steps[entry.step];
            const wg_direction direction = step.is_request == is_server ? WG_RECEIVE : WG_SEND;
            moves_[{entry.id, entry.step}] = socket.moved(direction, step.bytes, step.time_ns, thread_of(entry.id));
        } else if (entry.what == Entry::What::Report) {
            Move& move = moves_[{entry.id, entry.step}];
            // How far its plaintext went a closed socket does not tell: the last of it is needed to see a loss before.
            const bool is_needed = is_encrypted && entry.step + 1 == talk.steps.size();
            move.is_lost = entry.step >= talk.first_burst && random_.chance(losses_.data) && !is_needed;
            const std::uint64_t before = host_.records();
            report_call(host_, random_, socket, move, losses_.data * 10);
            if (move.is_lost || socket.options().is_connection_lost) lossy_.insert(entry.id);
            if (move.is_lost && host_.records() == before) ++dropped_;
            moves_.erase({entry.id, entry.step});
        } else if (entry.what == Entry::What::End) {
            host_.report_end(socket, entry.at_ns);
        } else {
            host_.report_close(host_.socket(entry.id), entry.at_ns);
        }
    }

    void collect() {
        for (const spans::Span* request : requests_in(host_.batch())) {
            const spans::Span& span = *request;
            const spans::Attributes& a = span.attributes;
            EXPECT_EQ(a.text(attr::url_scheme) == "https", (span.connection & WG_PLAIN_ID) != 0);
            Seen seen;
            const std::string_view original = a.text(attr::http_request_method_original);
            seen.method = original.empty() ? a.text(attr::http_request_method) : original;
            seen.status = a.number(attr::http_response_status_code, 0);
            seen.request_body = a.number(attr::http_request_body_size, -1);
            seen.response_body = a.number(attr::http_response_body_size, -1);
            seen.start_ns = span.start_ns;
            seen.end_ns = span.end_ns;
            seen.connection = span.connection;
            seen.peer_port = a.number(attr::network_peer_port, 0);
            seen.kind = span.kind;
            seen.incomplete = span.incomplete;
            duplicates_ += !spans_.try_emplace(std::string(a.text(attr::url_path)), seen).second;
        }
        host_.batch().clear();
    }

    void check(const Answer& answer, const Seen& seen, bool is_lossless, bool is_pipelined) {
        EXPECT_EQ(seen.method, answer.method);
        EXPECT_EQ(seen.start_ns, answer.start_ns);
        if (!is_lossless && seen.incomplete != spans::Incomplete::No) {
            ++incomplete_;
            if (seen.status) {
                EXPECT_EQ(seen.status, answer.status);
            }
        } else if (answer.is_ended) {
            EXPECT_EQ(seen.incomplete, spans::Incomplete::No);
            EXPECT_EQ(seen.status, answer.status);
            EXPECT_EQ(seen.end_ns, answer.end_ns);
            ++whole_;
        } else {
            EXPECT_EQ(seen.incomplete, spans::Incomplete::Closed);
            EXPECT_TRUE(seen.status == 0 || seen.status == answer.status) << seen.status;
        }
        if (seen.request_body >= 0) {
            EXPECT_EQ(static_cast<std::uint64_t>(seen.request_body), answer.request_body);
        }
        if (seen.response_body >= 0) {
            EXPECT_EQ(static_cast<std::uint64_t>(seen.response_body), answer.response_body);
        }
        // What was captured whole has its sizes; only chunks beyond the rule hide theirs.
        if (is_lossless && is_pipelined && answer.is_ended && answer.response_body < 500) {
            EXPECT_GE(seen.response_body, 0);
        }
    }

    Random random_;
    const Losses losses_;
    Host host_;
    std::priority_queue<Entry> agenda_;
    std::map<std::uint64_t, Talk> talks_;
    std::map<std::pair<std::uint64_t, std::size_t>, Move> moves_;
    std::map<std::string, Seen> spans_;
    std::set<std::uint64_t> lossy_;
    std::set<std::uint64_t> servers_;
    std::set<std::uint64_t> encrypted_;
    std::uint64_t order_ = 0;
    std::uint64_t last_ns_ = 0;
    std::uint64_t duplicates_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t missing_ = 0;
    std::uint64_t incomplete_ = 0;
    std::uint64_t whole_ = 0;
    std::uint64_t open_at_end_ = 0;
    std::uint64_t seen_ = 0;
    std::uint64_t exported_ = 0;
};

constexpr std::uint64_t kSeeds = 20;

TEST(TrackerProperty, EverySpanIsExactWhenNothingIsLost) {
    for (std::uint64_t seed = 1; seed <= seeds_to_play(kSeeds); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, {});
        world.run(60);
        world.check(true);
        for (std::size_t cause = 0; cause < static_cast<std::size_t>(Cause::kCount); ++cause)
            EXPECT_EQ(world.counts().by_cause[cause], 0u) << "cause " << cause;
        if (HasFailure()) return;
    }
}

TEST(TrackerProperty, NothingIsPairedWrongWhenEventsAreLost) {
    std::uint64_t dropped = 0;
    std::uint64_t missing = 0;
    std::uint64_t whole = 0;
    for (std::uint64_t seed = 1; seed <= seeds_to_play(kSeeds); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, {.data = 0.03, .connection = 0.02});
        world.run(60);
        world.check(false);
        dropped += world.dropped();
        missing += world.missing();
        whole += world.whole();
        if (HasFailure()) return;
    }
    EXPECT_GT(dropped, 0u);
    EXPECT_GT(missing, 0u);
    EXPECT_GT(whole, 10 * missing);
}

}  // namespace
}  // namespace waggle::protocols::testing
