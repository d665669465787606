// SPDX-License-Identifier: Apache-2.0
// DNS over UDP. What is open is found by its socket, id and question, and by the other end's address where both
// messages tell it. A question that is sent again is the same one. Where an answer may belong to several, none of them
// gets it.
#pragma once

#include <unordered_map>
#include <vector>

#include "protocols/datagrams.h"
#include "protocols/dns/message.h"
#include "protocols/dns/session.h"

namespace waggle::protocols::dns {

class Datagrams final : public DatagramSession {
  public:
    bool on_datagram(const Datagram& datagram, Context& context) override;
    void on_tick(Context& context) override;
    void on_end(spans::Incomplete reason, Context& context) override;
    std::size_t open_exchanges() const override { return open_.size(); }

  private:
    struct Open {
        Exchange<Codec> exchange;
        ConnectionInfo info;
        std::uint64_t last_ns = 0;  // when it was asked last
        bool has_one_peer = false;  // known, and the same each time; else it may be anybody
    };
    // By socket, id and role: a key may be shared.
    using Table = std::unordered_multimap<std::uint64_t, Open>;
    // An answer whose question may be reported later: another thread had sent it.
    struct Early {
        std::uint64_t key = 0;
        Message message;
        std::uint64_t time_ns = 0;
        bool is_peer_known = false;
        wg_tuple tuple{};
    };

    static std::uint64_t key_of(const Datagram& datagram, std::uint16_t id, Role role);
    static bool is_asked(const Open& open, const Message& message);
    static bool may_be_of(const Open& open, bool is_peer_known, const wg_tuple& tuple);
    void on_question(const Datagram& datagram, Message& message, Context& context);
    void on_answer(const Datagram& datagram, Message& message, Context& context);
    void on_error(const Datagram& datagram, Context& context);
    void ask_again(Open& open, const Datagram& datagram);
    Table::iterator add(std::uint64_t key);
    void answer(Table::iterator at, const Message& message, std::uint64_t time_ns, Context& context);
    void take_early(Table::iterator at, Context& context);
    void drop(Table::iterator at, spans::Incomplete reason, std::uint64_t end_ns, Context& context);
    void finish(Table::iterator at, std::uint64_t end_ns, Context& context);
    void drop_oldest(Context& context);

    Table open_;
    std::vector<Table::node_type> free_;  // with their memory
    std::vector<Early> early_;
    std::vector<Table::iterator> found_;
};

}  // namespace waggle::protocols::dns
