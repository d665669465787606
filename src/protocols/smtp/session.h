// SPDX-License-Identifier: Apache-2.0
// Session: one SMTP connection. A transaction begins with MAIL and ends with the answer to its content, or with the
// answer that refuses it. Replies come in the order of commands.
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "protocols/smtp/lines.h"
#include "protocols/two_way.h"

namespace waggle::protocols::smtp {

struct Codec {
    using Key = std::uint64_t;
    struct Request {};
    struct Response {
        std::uint16_t error = 0;    // the code that refused it
        std::size_t accepted = 0;   // of its recipients
        std::size_t answered = 0;   // LMTP: of those, after the content
        std::uint16_t refused = 0;  // the first code that said no to one of them
        bool is_given_up = false;   // the client went on
    };

    static std::optional<spans::TraceContext> trace_context(const Request&) { return {}; }
    static bool is_in_gauge(const Request&) { return false; }
    static std::array<spans::Attribute, 0> open_attributes(const Request&) { return {}; }
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

class Session final : public TwoWaySession<Codec> {
  public:
    using TwoWaySession::TwoWaySession;

  private:
    // What is answered next.
    enum class Awaited : std::uint8_t { Other, Mail, Recipient, Data, Content, Chunk, End, StartTls, Auth };

    Parsed<Unit> parse(const Half& half, std::string_view bytes, bool is_final) override;
    void on_frame(Half& half, std::string_view front, const Unit& unit, Context& context) override;
    void on_whole(Half& half, Key key, Context& context) override;
    void on_lost(Half& half, Context& context) override;
    void before_end(Context& context) override;
    bool passes_hole(const Half& half) const override { return !half.is_answer() && is_content_; }

    void on_command(Half& half, const Command& command, Context& context);
    bool is_answered_already(const Half& half) const;
    void on_reply(Half& half, std::uint16_t code, Context& context);
    void on_content_answer(Half& half, Key mail, std::uint16_t code);
    void give_up(Half& half);
    bool waits(Key mail) const;
    void refuse(Key mail, std::uint16_t code);
    void end_with(Half& half, Key mail);
    void settle(Half& half, Key mail);

    // A command that waits for its reply, and the transaction that it is part of, 0: of none. The commands of the next
    // one may be sent before (RFC 2920).
    struct Waiting {
        Awaited what = Awaited::Other;
        Key mail = 0;
    };
    // In the order of commands; unlike a deque it keeps its memory.
    class Queue {
      public:
        bool empty() const { return first_ == all_.size(); }
        std::size_t size() const { return all_.size() - first_; }
        const Waiting& front() const { return all_[first_]; }
        const Waiting& back() const { return all_.back(); }
        auto begin() const { return all_.begin() + static_cast<std::ptrdiff_t>(first_); }
        auto end() const { return all_.end(); }
        void clear() {
            all_.clear();
            first_ = 0;
        }
        void push_back(Waiting waiting) {
            if (first_ > 64 && first_ > all_.size() / 2)
                all_.erase(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(std::exchange(first_, 0)));
            all_.push_back(waiting);
        }
        void pop_front() {
            if (++first_ == all_.size()) clear();
        }
        void push_front(Waiting waiting) {
            if (first_)
                all_[--first_] = waiting;
            else
                all_.insert(all_.begin(), waiting);
        }

      private:
        std::vector<Waiting> all_;
        std::size_t first_ = 0;
    };
    Queue awaited_;
    Key current_ = 0;                     // the transaction that is under way
    std::uint64_t last_reply_order_ = 0;  // client: how far it had sent when the newest reply came
    bool is_local_ = false;               // LMTP
    bool is_content_ = false;             // the client sends lines of a message
    bool is_content_start_ = false;
    bool is_auth_ = false;    // the client's next line is none of a command
    bool is_in_step_ = true;  // what is awaited is known
};

}  // namespace waggle::protocols::smtp
