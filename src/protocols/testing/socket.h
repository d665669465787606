// SPDX-License-Identifier: Apache-2.0
// Socket: what the kernel side reports of one connection, for tests: positions, turns (by the code that
// the kernel runs), capture rules, tails. First a call happens (moved), then it is reported, maybe late,
// maybe never.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/lib/position.h"
#include "bpf/lib/turn.h"
#include "protocols/protocol.h"
#include "protocols/testing/fronts.h"

namespace waggle::protocols::testing {

inline constexpr std::uint32_t kRequestBytes = 16384;
inline constexpr std::uint32_t kResponseBytes = 4096;

// A call that moved bytes, as it truly happened.
struct Move {
    wg_direction direction = WG_SEND;
    std::string bytes;
    std::uint64_t time_ns = 0;
    std::uint64_t position = 0;
    std::uint64_t order = 0;
    std::uint64_t thread = 0;
    std::uint64_t first_ns = 0;
    std::uint32_t queue_us = 0;
    bool is_lost = false;        // the ring was full: counted by the kernel, never seen
    bool is_unreadable = false;  // sendfile: the length only
};

struct SocketOptions {
    std::uint64_t id = 1;
    wg_role role = WG_ROLE_SERVER;
    wg_socket_kind kind = WG_TCP;
    std::uint32_t pid = 100;
    std::uint64_t process_start_ns = 0;
    std::uint16_t client_port = 40000;
    bool is_attached = false;         // bytes have gone by before
    bool is_connection_lost = false;  // its connection event found no room in the ring
    bool has_kernel_tls = false;      // the kernel encrypts what it sends and receives
    bool is_go = false;               // with is_plain: a Go program's
    bool is_found = false;            // … at functions that were found by their code
    bool is_plain = false;            // what a TLS library gives or takes: counts for itself
    std::uint64_t beneath = 0;        // its socket, where the kernel knows
    std::uint64_t peer = 0;           // UNIX: the connection at the other end, where it is known
};

class Socket {
  public:
    explicit Socket(const SocketOptions& options) : options_(options) {
        written_[WG_SEND] = next_[WG_SEND] = start_of(WG_SEND);
        written_[WG_RECEIVE] = next_[WG_RECEIVE] = start_of(WG_RECEIVE);
        const wg_direction requests = options.role == WG_ROLE_CLIENT ? WG_SEND : WG_RECEIVE;
        const bool is_known = options.role != WG_ROLE_UNKNOWN;
        rules_[requests] = {.mode = WG_RULE_HEAD, .padding = {}, .bytes = kRequestBytes};
        rules_[1 - requests] = {
            .mode = WG_RULE_HEAD, .padding = {}, .bytes = is_known ? kResponseBytes : kRequestBytes};
    }

    std::uint64_t id() const { return options_.id; }
    const SocketOptions& options() const { return options_; }

    // The bytes go by: position and order are facts from now on.
    Move moved(wg_direction direction, std::string bytes, std::uint64_t time_ns, std::uint64_t thread = 0) {
        Move move{.direction = direction, .bytes = std::move(bytes), .time_ns = time_ns, .thread = thread};
        move.position = written_[direction];
        if (direction == WG_RECEIVE) move.order = written_[WG_SEND];
        written_[direction] += move.bytes.size();
        return move;
    }

    // The hook of that call runs: adds what the ring gets.
    void report(Move move, std::vector<std::string>& records) {
        open(move.time_ns, records);
        const wg_direction direction = move.direction;
        if (options_.kind != WG_TCP || options_.is_plain) {  // nobody but the hooks counts
            move.position = next_[direction];
            move.order = next_[WG_SEND];
        }
        if (direction == WG_SEND) move.order = next_[WG_RECEIVE];
        const bool is_new_turn =
            direction == WG_RECEIVE ? wg_turn_receive(&turns_, move.order) : wg_turn_send(&turns_, move.position);
        const auto size = static_cast<std::uint32_t>(move.bytes.size());
        if (is_new_turn) {
            turn_start_[direction] = move.position;
            is_cut_[direction] = false;
        } else if (move.position != next_[direction]) {
            is_cut_[direction] = true;
        }
        next_[direction] = move.position + size;
        end_ns_[direction] = move.time_ns;
        const wg_rule& rule = rules_[direction];
        gone_[direction] += size;
        const bool is_passed_over = rule.mode == WG_RULE_MUTE || rule.mode == WG_RULE_COUNT;
        std::uint64_t wanted =
            wg_allows(&rule, turn_start_[direction], move.position, size, gone_[direction] - size, is_cut_[direction]);
        is_cut_[direction] |= is_passed_over || wanted < size || move.is_lost || move.is_unreadable;
        if (is_passed_over) return;
        if (rule.mode == WG_RULE_FRAMED) {
            wg_frames& frames = frames_[direction];
            const bool is_inside = frames.is_followed && frames.position == move.position && !frames.have &&
                                   !frames.wanted && frames.left >= size;
            if (!is_inside || is_new_turn) {
                if (!move.is_unreadable) return report_frames(move, is_new_turn, records);
            } else {
                frames.left -= size;
                frames.position += size;
                wanted = 0;
            }
        }
        if (!wanted && !is_new_turn) return update_tail(move);
        wg_data_event event = data_event(move);
        event.size = size;
        if (is_new_turn) event.flags |= WG_DATA_TURN_START;
        if (is_new_turn) take_tail(event, direction);
        if (move.is_unreadable) {
            event.flags |= WG_DATA_UNREADABLE;
        } else {
            event.captured = static_cast<std::uint32_t>(wanted);
            if (wanted < size) {
                event.flags |= WG_DATA_TAIL;
                tail_bytes(move, 0, event.tail);
            }
        }
        event.head.length = sizeof(event) + event.captured;
        if (!move.is_lost) records.push_back(record(event) + move.bytes.substr(0, event.captured));
    }

    void report_frames(const Move& move, bool is_new_turn, std::vector<std::string>& records) {
        wg_data_event event = data_event(move);
        if (is_new_turn) event.flags |= WG_DATA_TURN_START;
        if (is_new_turn) take_tail(event, move.direction);
        const wg_framing& framing = *all()[rules_[move.direction].framing]->framing;
        const auto fronts = follow_frames(framing, frames_[move.direction], move.position, is_new_turn, move.bytes);
        for (const Front& front : fronts) {
            event.position = move.position + front.from;
            event.size = static_cast<std::uint32_t>(front.end - front.from);
            event.captured = static_cast<std::uint32_t>(front.until - front.from);
            event.head.length = sizeof(event) + event.captured;
            if (&front == &fronts.back() && front.until < front.end) {
                event.flags |= WG_DATA_TAIL;
                tail_bytes(move, 0, event.tail);
            }
            if (!move.is_lost) records.push_back(record(event) + move.bytes.substr(front.from, event.captured));
            event.flags &= WG_DATA_CROWDED;
        }
    }

    // The peer has closed its side.
    void report_end(std::uint64_t time_ns, std::vector<std::string>& records) {
        if (!turns_.count[WG_RECEIVE]) return;
        wg_data_event event = data_event({.direction = WG_RECEIVE, .time_ns = time_ns});
        event.position = next_[WG_RECEIVE];
        event.order = options_.kind == WG_UNIX ? options_.peer : next_[WG_SEND];
        event.flags = WG_DATA_END;
        if (options_.kind == WG_UNIX) event.flags |= WG_DATA_PEER_GONE;
        take_tail(event, WG_RECEIVE);
        event.head.length = sizeof(event);
        records.push_back(record(event));
    }

    // UNIX: by the other end, which is reported in another ring, or has read that no more is sent.
    void report_gone(bool is_half, std::uint64_t time_ns, std::vector<std::string>& records) {
        wg_close_event event{{WG_EVENT_CLOSE, WG_EVENT_VERSION, sizeof(event), time_ns}, options_.id};
        event.half = is_half;
        if (is_half && tails_[WG_SEND]) fill_end(event, WG_SEND);
        records.push_back(record(event));
    }

    void report_close(bool is_half, std::uint64_t time_ns, std::vector<std::string>& records) {
        if (!is_open_) return;
        wg_close_event event{{WG_EVENT_CLOSE, WG_EVENT_VERSION, sizeof(event), time_ns}, options_.id};
        event.half = is_half;
        for (int i = 0; i < 2; ++i) {
            event.bytes[i] = gone_[i];
            fill_end(event, i);
            if (!is_half) tails_[i].reset();
        }
        records.push_back(record(event));
    }

    std::optional<wg_tail>& tail(int direction) { return tails_[direction]; }
    const wg_rule& rule(wg_direction direction) const { return rules_[direction]; }
    void set_rules(const wg_connection_rules& rules) { std::copy_n(rules.by_direction, 2, rules_.begin()); }

  private:
    // TCP's sequence numbers wrap soon; both ends agree on them: a request's stands where the client sends.
    std::uint64_t start_of(wg_direction direction) const {
        if (options_.kind != WG_TCP || options_.is_plain) return 0;
        const bool is_request = (options_.role == WG_ROLE_CLIENT) == (direction == WG_SEND);
        return is_request ? 0xffffff00u : 0x1fffffff8u;
    }

    template <typename Event>
    static std::string record(const Event& event) {
        return {reinterpret_cast<const char*>(&event), sizeof(event)};
    }

    void fill_end(wg_close_event& event, int i) const {
        event.end[i] = next_[i];
        event.end_ns[i] = end_ns_[i];
        event.turns[i] = turns_.count[i];
        if (tails_[i]) std::memcpy(event.tail[i], tails_[i]->tail, 8);
    }

    void open(std::uint64_t time_ns, std::vector<std::string>& records) {
        if (is_open_) return;
        is_open_ = true;
        if (options_.is_plain) return open_plain(time_ns, records);
        wg_connection_event event{};
        event.head = {
            .type = WG_EVENT_CONNECTION, .version = WG_EVENT_VERSION, .length = sizeof(event), .time_ns = time_ns};
        event.connection = options_.id;
        event.pid = options_.pid;
        event.process_start_ns = options_.process_start_ns;
        event.role = options_.role;
        event.kind = options_.kind;
        event.from_start = options_.is_attached ? 0 : 3;
        event.has_kernel_tls = options_.has_kernel_tls;
        for (const wg_direction direction : {WG_SEND, WG_RECEIVE}) event.next[direction] = start_of(direction);
        const std::uint8_t client[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
        const std::uint8_t server[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2};
        const bool is_client = options_.role == WG_ROLE_CLIENT;
        std::memcpy(event.tuple.local_address, is_client ? client : server, 16);
        std::memcpy(event.tuple.remote_address, is_client ? server : client, 16);
        event.tuple.local_port = is_client ? options_.client_port : 8080;
        event.tuple.remote_port = is_client ? 8080 : options_.client_port;
        if (options_.kind == WG_UNIX) std::strcpy(event.unix_path, "/run/app.sock");
        if (!options_.is_connection_lost) records.push_back(record(event));
    }

    void open_plain(std::uint64_t time_ns, std::vector<std::string>& records) {
        wg_plain_event event{};
        event.head = {.type = WG_EVENT_PLAIN, .version = WG_EVENT_VERSION, .length = sizeof(event), .time_ns = time_ns};
        event.connection = options_.id;
        event.beneath = options_.beneath;
        event.pid = options_.pid;
        event.process_start_ns = options_.process_start_ns;
        event.source = options_.is_go ? WG_SOURCE_GO_TLS : options_.is_found ? WG_SOURCE_FOUND_TLS : WG_SOURCE_TLS;
        event.from_start = !options_.is_attached;
        for (const wg_direction direction : {WG_SEND, WG_RECEIVE}) event.next[direction] = start_of(direction);
        if (!options_.is_connection_lost) records.push_back(record(event));
    }

    wg_data_event data_event(const Move& move) const {
        wg_data_event event{};
        event.head = {.type = WG_EVENT_DATA, .version = WG_EVENT_VERSION, .length = 0, .time_ns = move.time_ns};
        event.connection = options_.id;
        event.position = move.position;
        event.order = move.order;
        event.context = move.thread;
        event.first_ns = move.first_ns;
        event.queue_us = move.queue_us;
        event.pid = options_.pid;
        event.process_start_ns = options_.process_start_ns;
        event.turn = turns_.count[move.direction];
        event.direction = move.direction;
        return event;
    }

    // The last eight bytes, right-aligned; of fewer the rest is what the entry before had.
    static void tail_bytes(const Move& move, std::uint64_t before, std::uint8_t* out) {
        std::uint64_t tail = 0;
        if (!move.is_unreadable)
            for (const char c : move.bytes.substr(move.bytes.size() - std::min<std::size_t>(8, move.bytes.size())))
                tail = tail >> 8 | std::uint64_t{static_cast<unsigned char>(c)} << 56;
        tail = wg_join_tail(before, tail, move.bytes.size());
        std::memcpy(out, &tail, 8);
    }

    void update_tail(const Move& move) {
        auto& entry = tails_[move.direction];
        if (!entry) entry = wg_tail{.end = 0, .end_ns = 0, .first_ns = move.time_ns, .tail = {}, .turn = 0, .calls = 0};
        std::uint64_t before;
        std::memcpy(&before, entry->tail, 8);
        tail_bytes(move, before, entry->tail);
        entry->end = move.position + move.bytes.size();
        entry->end_ns = move.time_ns;
        entry->turn = turns_.count[move.direction];
        entry->calls++;
    }

    void take_tail(wg_data_event& event, int direction) {
        if (!tails_[direction]) return;
        event.flags |= WG_DATA_PREVIOUS_TAIL;
        event.previous_end = tails_[direction]->end;
        event.previous_end_ns = tails_[direction]->end_ns;
        std::memcpy(event.previous_tail, tails_[direction]->tail, 8);
        tails_[direction].reset();
    }

    SocketOptions options_;
    std::array<std::uint64_t, 2> written_{};  // as it is
    std::array<std::uint64_t, 2> next_{};     // as it was reported
    std::array<std::uint64_t, 2> turn_start_{};
    std::array<std::uint64_t, 2> gone_{};  // bytes that were reported
    std::array<bool, 2> is_cut_{};
    std::array<wg_frames, 2> frames_{};
    std::array<std::uint64_t, 2> end_ns_{};
    std::array<wg_rule, 2> rules_{};
    std::array<std::optional<wg_tail>, 2> tails_;
    wg_turns turns_{};
    bool is_open_ = false;
};

}  // namespace waggle::protocols::testing
