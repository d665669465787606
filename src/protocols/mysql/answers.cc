// SPDX-License-Identifier: Apache-2.0
// The server's packets: which exchange each belongs to and what it says of it.
#include "protocols/mysql/codec.h"

namespace waggle::protocols::mysql {
namespace {

using Kind = ResponseEffect::Kind;

constexpr ResponseEffect kInvalid{.kind = Kind::Invalid};
constexpr std::uint16_t kProgress = 0xffff;  // MariaDB: an ERR packet with this number is none
constexpr std::uint64_t kMaxColumns = 65535;

}  // namespace

ResponseEffect Codec::part() const { return {.kind = front().ends_exchange ? Kind::Part : Kind::Other}; }

// Packets are numbered, from the request's last one on.
bool Codec::follows(const Packet& packet) {
    const bool is_first = !answer_.is_begun;
    const std::uint8_t before = is_first ? front().sequence : answer_.sequence;
    // The client's packets count as well in a dialogue; who ends the connection begins anew.
    const bool is_free = front().what == Awaits::Login || answer_.state == State::Infile ||
                         (is_first && !front().is_ordered) || (is_first && packet.is_error() && packet.sequence == 0);
    if (!is_free && packet.sequence != static_cast<std::uint8_t>(before + 1)) return false;
    answer_.is_begun = true;
    answer_.sequence = packet.sequence;
    return true;
}

ResponseEffect Codec::on_response(std::string_view front_bytes, const Unit&, Open& open) {
    const Packet packet = read_packet(front_bytes);
    if (is_late_eof(packet)) return {};
    may_have_late_eof_ = false;
    if (expected() == 0) return on_unasked(packet);
    if (!follows(packet)) return kInvalid;
    if (front().hides_database) {  // unless the server tells it
        database_.clear();
        front().hides_database = false;
    }
    const bool is_continuing = is_response_continued_;
    is_response_continued_ = packet.length == kFull;
    if (is_continuing) return part();
    if (packet.body.empty()) return kInvalid;
    if (packet.is_error()) return awaits(Awaits::Login) ? on_login_answer(packet) : on_error(packet, open);
    switch (answer_.state) {
        case State::First:
            return on_first(packet, open);
        case State::Columns:
            return on_column(packet, open);
        case State::Rows:
            return on_row(packet, open);
        case State::Definitions:
            return on_definition(packet);
        case State::Infile:
            answer_.state = State::First;
            return packet.first() == 0 ? on_ok(packet, open) : kInvalid;
    }
    return kInvalid;
}

// Whether definitions end with an EOF was not known when the last one came.
bool Codec::is_late_eof(const Packet& packet) {
    if (!may_have_late_eof_ || !packet.is_eof() || packet.sequence != late_sequence_) return false;
    may_have_late_eof_ = false;
    has_ok_ends_ = false;
    return true;
}

ResponseEffect Codec::on_unasked(const Packet& packet) {
    if (packet.is_error()) return {};  // the server says why it closes the connection
    if (has_commands_ || packet.sequence != 0) return kInvalid;
    const auto greeting = read_greeting(packet.body);
    if (!greeting) return kInvalid;
    server_capabilities_ = greeting->capabilities;
    is_mariadb_ = greeting->is_mariadb;
    return {};
}

ResponseEffect Codec::on_login_answer(const Packet& packet) {
    const std::uint8_t first = packet.first();
    if (first == 0xfe || first == 0x01) return {.kind = Kind::Other};  // another plugin, or more of this one
    if (first != 0 && !packet.is_error()) return kInvalid;
    if (first == 0) database_ = front().database;
    pop();
    if (first != 0 || (!has(kCompress) && !has(kZstd))) return {.kind = Kind::Other};
    return {.kind = Kind::Over, .why = Cause::Compressed};
}

ResponseEffect Codec::on_first(const Packet& packet, Open& open) {
    const std::uint8_t first = packet.first();
    switch (front().what) {
        case Awaits::Login:
            return on_login_answer(packet);
        case Awaits::Prepared:
            return on_prepared(packet, open);
        case Awaits::Rows:
            return on_row(packet, open);
        case Awaits::Text:
            return end_answer();
        case Awaits::Ok:
            if (first == 0) return on_ok(packet, open);
            return packet.is_eof() || packet.is_ok_end() ? end_answer() : kInvalid;
        default:
            break;
    }
    if (first == 0xfb) {
        is_sending_file_ = true;
        answer_.state = State::Infile;
        return part();
    }
    // With optional metadata a small packet can be a count of columns that are not described.
    if (first == 0 && (packet.length >= 7 || !has(kOptionalMetadata))) return on_ok(packet, open);
    return begin_result(packet);
}

ResponseEffect Codec::begin_result(const Packet& packet) {
    Fields fields(packet.body);
    bool has_definitions = true;
    if (has(kOptionalMetadata)) has_definitions = fields.number(1) != 0;
    const std::uint64_t columns = fields.lenenc();
    if (!fields.is_whole() || columns == 0 || columns > kMaxColumns) return kInvalid;
    // MariaDB leaves out what it has told when the statement was prepared.
    if (fields.left().size() == 1 && !has(kOptionalMetadata)) has_definitions = fields.number(1) != 0;
    if (!fields.left().empty() || packet.length != packet.body.size()) return kInvalid;
    answer_.state = State::Columns;
    answer_.columns = has_definitions ? columns : 0;
    answer_.rows = 0;
    return part();
}

ResponseEffect Codec::on_column(const Packet& packet, Open& open) {
    if (packet.is_eof() && has_ok_ends_ != true) {
        if (answer_.columns > 0) return kInvalid;
        has_ok_ends_ = false;
        answer_.state = State::Rows;
        // A cursor's rows are fetched later.
        const std::uint16_t status = eof_status(packet.body);
        return status & kCursorExists ? end_result(status, false, open) : part();
    }
    if (answer_.columns > 0) {
        --answer_.columns;
        return packet.first() == 3 ? part() : kInvalid;  // "def"
    }
    if (has_ok_ends_ == false) return kInvalid;
    has_ok_ends_ = true;
    answer_.state = State::Rows;
    return on_row(packet, open);
}

ResponseEffect Codec::on_row(const Packet& packet, Open& open) {
    answer_.state = State::Rows;
    if (packet.is_eof() && has_ok_ends_ != true) return end_result(eof_status(packet.body), true, open);
    if (packet.is_ok_end() && has_ok_ends_ != false) {
        const auto ok = read_ok(packet.body);
        return ok ? end_result(ok->status, !(ok->status & kCursorExists) || front().what == Awaits::Rows, open)
                  : kInvalid;
    }
    ++answer_.rows;
    return part();
}

ResponseEffect Codec::on_ok(const Packet& packet, Open& open) {
    const auto ok = read_ok(packet.body);
    if (!ok) return kInvalid;
    if (!front().database.empty()) database_ = front().database;
    if (ok->database) database_.assign(ok->database->substr(0, kMaxDatabase));
    return end_result(ok->status, false, open);
}

ResponseEffect Codec::end_result(std::uint16_t status, bool has_rows, Open& open) {
    has_backslashes_ = !(status & kNoBackslashes);
    ++answer_.results;
    if (status & kMoreResults) {
        answer_.state = State::First;
        return part();
    }
    // Of several results the rows are not added up: they are of different shapes.
    if (has_rows && answer_.results == 1 && front().ends_exchange && open.size() > 0)
        open.front().response.returned_rows = answer_.rows;
    return end_answer();
}

ResponseEffect Codec::end_answer() {
    ResponseEffect effect = part();
    effect.finished = front().ends_exchange ? 1 : 0;
    pop();
    return effect;
}

ResponseEffect Codec::on_error(const Packet& packet, Open& open) {
    Fields fields(packet.body);
    fields.number(1);
    const auto code = static_cast<std::uint16_t>(fields.number(2));
    if (!fields.is_whole()) return kInvalid;
    if (code == kProgress) return part();
    is_sending_file_ = false;
    if (front().ends_exchange && open.size() > 0) {
        open.front().response.is_failed = true;
        open.front().response.code = code;
    }
    return end_answer();
}

ResponseEffect Codec::on_prepared(const Packet& packet, Open&) {
    if (packet.first() != 0 || packet.length < 10 || packet.body.size() < std::min<std::size_t>(packet.length, 13))
        return kInvalid;
    Fields fields(packet.body);
    fields.number(1);
    keep(static_cast<std::uint32_t>(fields.number(4)), front().statement);
    answer_.columns = fields.number(2);
    answer_.parameters = fields.number(2);
    if (has(kOptionalMetadata) && packet.length >= 13 && packet.body[12] == 0) answer_.columns = answer_.parameters = 0;
    answer_.state = State::Definitions;
    return answer_.columns + answer_.parameters > 0 ? part() : end_answer();
}

// Of a prepared statement: its parameters, an EOF, its columns, an EOF; without those EOFs maybe.
ResponseEffect Codec::on_definition(const Packet& packet) {
    const auto is_done = [&] { return answer_.parameters == 0 && answer_.columns == 0; };
    if (packet.is_eof()) {
        if (!answer_.awaits_eof) return kInvalid;
        has_ok_ends_ = answer_.awaits_eof = false;
        return is_done() ? end_answer() : part();
    }
    if (packet.first() != 3 || (answer_.awaits_eof && has_ok_ends_ == false)) return kInvalid;
    if (answer_.awaits_eof) has_ok_ends_ = true;
    std::uint64_t& group = answer_.parameters > 0 ? answer_.parameters : answer_.columns;
    --group;
    answer_.awaits_eof = group == 0 && has_ok_ends_ != true;
    if (!is_done() || has_ok_ends_ == false) return part();
    if (!has_ok_ends_) {
        may_have_late_eof_ = true;
        late_sequence_ = static_cast<std::uint8_t>(packet.sequence + 1);
    }
    return end_answer();
}

void Codec::keep(std::uint32_t id, StatementPtr statement) {
    // Whatever made so many never closes them: what is forgotten is unknown.
    if (statements_.size() >= kMaxStatements && !statements_.contains(id)) statements_.clear();
    statements_[id] = std::move(statement);
}

// An EOF, an OK, the text of an error or of statistics, or a column's definition.
bool Codec::may_end(std::uint64_t tail) {
    if (read_tail(tail).form != TailEnd::Form::Other) return true;
    if (tail >> 48 == 0) return true;
    return static_cast<unsigned char>(tail >> 56) >= 0x20;
}

bool Codec::ends_by(std::uint64_t tail, const Due& due, const Open&) const {
    if (due.expectations == 0 || due.exchanges != 1) return false;
    if (front().what != Awaits::Results && front().what != Awaits::Rows) return false;
    for (std::size_t i = 1; i < due.expectations; ++i)
        if (queue_[first_ + i].what != Awaits::Nothing) return false;
    const TailEnd end = read_tail(tail);
    if (end.status & kMoreResults) return false;
    // The client, which waits for answers, has gone on.
    const bool is_over = due.expectations < expected();
    const bool is_in_rows = answer_.state == State::Rows;
    switch (end.form) {
        case TailEnd::Form::Eof:
            // The first one only ends the columns.
            return has_ok_ends_ != true && (is_over || is_in_rows);
        case TailEnd::Form::OkEnd:
            return has_ok_ends_ != false && (is_over || is_in_rows || answer_.state == State::Columns);
        case TailEnd::Form::Ok:
            return is_over;
        case TailEnd::Form::Other:
            return false;
    }
    return false;
}

}  // namespace waggle::protocols::mysql
