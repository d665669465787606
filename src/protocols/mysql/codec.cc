// SPDX-License-Identifier: Apache-2.0
#include "protocols/mysql/codec.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "protocols/mysql/mysql.h"

namespace waggle::protocols::mysql {
namespace {

using RequestKind = RequestEffect::Kind;

// MariaDB: what was prepared last, whose id the client has not been told yet.
constexpr std::uint32_t kLastPrepared = 0xffffffff;
constexpr std::size_t kMaxAttributes = 1024;
constexpr std::size_t kMaxAnswer = 256;

std::size_t wanted_of_command(std::string_view bytes) {
    if (bytes.size() <= kHeader) return kHeader + 1;
    switch (static_cast<Command>(bytes[kHeader])) {
        case Command::Query:
            return kHeader + 1 + kMaxAttributes + sql::kMaxInput;
        case Command::Prepare:
            return kHeader + 1 + sql::kMaxInput;
        case Command::ChangeUser:
            return kHeader + kMaxLogin;
        case Command::InitDb:
            return kHeader + 256;
        default:
            return kHeader + 10;
    }
}

// Rows are passed over by their length; what ends answers is read.
std::size_t wanted_of_answer(std::string_view bytes) {
    if (bytes.size() <= kHeader) return kHeader + 1;
    const auto first = static_cast<unsigned char>(bytes[kHeader]);
    return first == 0 || first >= 0xfe ? kHeader + kMaxAnswer : kHeader + 12;
}

}  // namespace

Parsed<Unit> Codec::parse(Side side, std::string_view bytes, bool is_final) const {
    if (bytes.size() < kHeader) return std::unexpected(Stop::NeedMore);
    const Packet packet = read_packet(bytes);
    const bool is_request = side == Side::Request;
    const bool is_continued = is_request ? is_request_continued_ || is_sending_file_ : is_response_continued_;
    std::size_t wanted = kHeader;
    if (is_request && packet.sequence == 0 && !is_continued)
        wanted = wanted_of_command(bytes);
    else if (is_request && !has_commands_ && !is_continued)
        wanted = kHeader + kMaxLogin;
    else if (!is_request && !has_commands_ && expected() == 0)
        wanted = kHeader + kMaxLogin;  // a greeting
    else if (!is_request && !is_continued)
        wanted = wanted_of_answer(bytes);
    const std::uint64_t size = kHeader + std::uint64_t{packet.length};
    wanted = std::min<std::uint64_t>(size, wanted);
    if (bytes.size() >= wanted) return Unit{.size = size, .front = wanted};
    if (!is_final) return std::unexpected(Stop::NeedMore);
    return Unit{.size = size, .front = bytes.size(), .is_cut = true};
}

Codec::Expected& Codec::push(Awaits what, bool ends_exchange) {
    ++pushed_;
    return queue_.emplace_back(Expected{.what = what, .ends_exchange = ends_exchange, .statement = {}, .database = {}});
}

void Codec::push_nothing() {
    if (expected() > 0) push(Awaits::Nothing, false);
}

void Codec::pop() {
    answer_ = {};
    do queue_[first_++] = {};
    while (first_ < queue_.size() && front().what == Awaits::Nothing);
    if (first_ == queue_.size()) {
        queue_.clear();
        first_ = 0;
    } else if (first_ >= 1024) {
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

void Codec::forget(std::size_t count) {
    const std::size_t left = expected() - std::min(count, expected());
    while (expected() > left) {
        if (front().hides_database || !front().database.empty()) database_.clear();  // nobody knows how it went
        pop();
    }
    is_sending_file_ = may_have_late_eof_ = false;
}

void Codec::restart(Side side) {
    if (side == Side::Request)
        is_request_continued_ = is_sending_file_ = false;
    else
        is_response_continued_ = may_have_late_eof_ = false;
}

// The rest of a long statement, or of a file, goes on up to the next turn.
bool Codec::passes_hole() {
    if (!is_request_continued_ && !is_sending_file_) return false;
    if (is_request_continued_ && expected() > 0) queue_.back().is_ordered = false;
    is_request_continued_ = is_sending_file_ = false;
    return true;
}

sql::Reading Codec::reading(const Options& options, bool is_cut) const {
    return {.dialect = sql::Dialect::MySql,
            .has_backslashes = has_backslashes_,
            .is_cut = is_cut,
            .is_sanitized = options.sanitizes_queries};
}

RequestEffect Codec::on_request(std::string_view front, const Unit& unit, Request& request, const Options& options) {
    const Packet packet = read_packet(front);
    if (is_sending_file_) {
        // An empty packet is the last.
        is_sending_file_ = packet.length > 0;
        return {};
    }
    const bool is_continuing = is_request_continued_;
    is_request_continued_ = packet.length == kFull;
    if (is_continuing) {
        if (expected() > 0) queue_.back().sequence = packet.sequence;
        return {};
    }
    if (packet.sequence != 0) return has_commands_ || expected() > 0 ? RequestEffect{} : on_login(packet);
    if (packet.body.empty()) return {.kind = RequestKind::Invalid};
    if (expected() >= kMaxExpected) return {.kind = RequestKind::Over};
    has_commands_ = true;
    request.is_known = request.has_text = false;
    request.operation = {};
    return on_command(packet, unit, request, options);
}

std::unique_ptr<Prelude> Codec::prelude() const {
    auto greeted = std::make_unique<Greeted>();
    greeted->capabilities = server_capabilities_;
    greeted->is_mariadb = is_mariadb_;
    return greeted;
}

RequestEffect Codec::on_login(const Packet& packet) {
    const auto login = read_login(packet.body, packet.length);
    if (!login) return {.kind = RequestKind::Invalid};
    if (login->is_ssl_request) return {.kind = RequestKind::Over, .next = Next::Tls};
    capabilities_ = login->capabilities & server_capabilities_.value_or(~0u);
    has_ok_ends_ = has(kDeprecateEof);
    may_be_replica_ = login->database.empty();
    push(Awaits::Login, false).database.assign(login->database.substr(0, kMaxDatabase));
    return {.is_expecting = true};
}

RequestEffect Codec::on_command(const Packet& packet, const Unit& unit, Request& request, const Options& options) {
    const std::string_view body = packet.body.substr(1);
    const bool is_cut = unit.front < unit.size || packet.length == kFull;
    switch (static_cast<Command>(packet.first())) {
        case Command::Query:
            return query(body, is_cut, request, options);
        case Command::Prepare:
            return prepare(body, is_cut, request, options);
        case Command::Execute:
        case Command::BulkExecute:
            return execute(body, request);
        case Command::Fetch:
            return fetch(request);
        case Command::InitDb:
            request.operation = "USE";
            push(Awaits::Ok, true).database.assign(body.substr(0, kMaxDatabase));
            return {.kind = RequestKind::Opens, .is_expecting = true};
        case Command::Close:
            if (Fields fields(body); body.size() >= 4) statements_.erase(static_cast<std::uint32_t>(fields.number(4)));
            push_nothing();
            return {.kind = RequestKind::Nothing, .is_expecting = expected() > 0};
        case Command::Quit:
            push_nothing();
            return {.kind = RequestKind::Nothing, .is_expecting = expected() > 0};
        case Command::SendLongData:
            return {};
        case Command::ChangeUser:
            return change_user(body);
        case Command::ResetConnection:
            statements_.clear();
            return silent(Awaits::Ok, request, "RESET CONNECTION");
        case Command::Statistics:
            return silent(Awaits::Text, request, "STATISTICS");
        case Command::Ping:
            return silent(Awaits::Ok, request, "PING");
        case Command::FieldList:
            return silent(Awaits::Rows, request, "FIELD LIST");
        case Command::ProcessInfo:
            return silent(Awaits::Results, request, "PROCESS INFO");
        case Command::Reset:
            return silent(Awaits::Ok, request, "RESET STATEMENT");
        case Command::CreateDb:
        case Command::DropDb:
        case Command::Refresh:
        case Command::Shutdown:
        case Command::ProcessKill:
        case Command::Debug:
        case Command::RegisterReplica:
        case Command::SetOption:
            return silent(Awaits::Ok, request, {});
        case Command::BinlogDump:
        case Command::BinlogDumpGtid:
        case Command::TableDump:
        case Command::Clone:
            return {.kind = RequestKind::Over};
    }
    return {.kind = RequestKind::Invalid};
}

// Replicas ask so, before they say what they are: held, or the end. Nothing: not the words of one.
std::optional<RequestEffect> Codec::greet(std::string_view text) {
    constexpr std::array<std::string_view, 3> kQuestions = {
        "SELECT UNIX_TIMESTAMP()", "SHOW VARIABLES LIKE 'SERVER_ID'", "SELECT @@GLOBAL.SERVER_ID"};
    constexpr std::array<std::string_view, 3> kSettings = {"SET @master_", "SET @source_", "SET @mariadb_slave_"};
    if (greeted_ > 1 && std::ranges::any_of(kSettings, [&](auto words) { return text.starts_with(words); }))
        return RequestEffect{.kind = RequestKind::Over, .drops_held = true};
    const bool is_question =
        greeted_ == 0 ? text == kQuestions[0] : greeted_ == 1 && (text == kQuestions[1] || text == kQuestions[2]);
    if (!is_question) return {};
    ++greeted_;
    return RequestEffect{.kind = RequestKind::Held, .is_expecting = true};
}

RequestEffect Codec::query(std::string_view body, bool is_cut, Request& request, const Options& options) {
    std::optional<bool> has_attributes;
    if (capabilities_) has_attributes = has(kQueryAttributes);
    const auto text = query_text(body, has_attributes);
    std::optional<RequestEffect> greeting;
    if (text && may_be_replica_) greeting = greet(*text);
    may_be_replica_ = greeting.has_value();
    if (greeting && greeting->kind == RequestKind::Over) return *greeting;
    request.has_text = true;
    if (text) {
        request.is_known = true;
        sql::read_statement(*text, reading(options, is_cut), request.facts);
    }
    Expected& expected = push(Awaits::Results, true);
    if (request.is_known && request.facts.operation == "USE" && request.facts.statements == 1 && !is_cut)
        expected.database.assign(used_database(*text).substr(0, kMaxDatabase));
    else
        expected.hides_database = request.is_known && request.facts.selects_database;
    return greeting.value_or(RequestEffect{.kind = RequestKind::Opens, .is_expecting = true});
}

RequestEffect Codec::prepare(std::string_view text, bool is_cut, Request& request, const Options& options) {
    auto statement = std::make_shared<Statement>();
    statement->is_known = true;
    sql::read_statement(text, reading(options, is_cut), statement->facts);
    request.is_known = true;
    request.facts = statement->facts;
    last_prepared_ = statement;
    push(Awaits::Prepared, true).statement = std::move(statement);
    return {.kind = RequestKind::Silent, .is_expecting = true};
}

RequestEffect Codec::execute(std::string_view body, Request& request) {
    if (body.size() < 4) return {.kind = RequestKind::Invalid};
    const auto id = static_cast<std::uint32_t>(Fields(body).number(4));
    StatementPtr statement = last_prepared_;
    if (id != kLastPrepared) {
        const auto found = statements_.find(id);
        statement = found == statements_.end() ? nullptr : found->second;
    }
    request.has_text = true;
    request.is_known = statement != nullptr;
    if (statement) request.facts = statement->facts;
    push(Awaits::Results, true).hides_database = statement && statement->facts.selects_database;
    return {.kind = RequestKind::Opens, .is_expecting = true};
}

// More rows of a cursor, which its execution has opened.
RequestEffect Codec::fetch(Request& request) {
    request.operation = "FETCH";
    push(Awaits::Rows, true);
    return {.kind = RequestKind::Opens, .is_expecting = true};
}

RequestEffect Codec::silent(Awaits what, Request& request, std::string_view operation) {
    request.operation = operation;
    push(what, true);
    return {.kind = RequestKind::Silent, .is_expecting = true};
}

RequestEffect Codec::change_user(std::string_view body) {
    Fields fields(body);
    fields.nul_text();              // user
    fields.text(fields.number(1));  // what proves it
    statements_.clear();
    push(Awaits::Login, false).database.assign(fields.nul_text().substr(0, kMaxDatabase));
    return {.is_expecting = true};
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) const {
    const Request& request = exchange.request;
    const Response& response = exchange.response;
    DatabaseCall call{
        .system = is_mariadb_ ? "mariadb" : "mysql", .operation = request.operation, .database = database_};
    call.is_text_unknown = request.has_text && !request.is_known;
    if (request.is_known) {
        const sql::Facts& facts = request.facts;
        call.name = facts.summary;
        call.operation = facts.operation;
        call.collection = facts.collection;
        call.summary = facts.summary;
        call.text = facts.text;
        call.batch_size = facts.statements;
    }
    std::array<char, 8> code{};
    if (response.is_failed) {
        const auto [end, bad] = std::to_chars(code.data(), code.data() + code.size(), response.code);
        call.status_code = call.error_type = {code.data(), static_cast<std::size_t>(end - code.data())};
    }
    call.returned_rows = response.returned_rows;
    span.protocol = kMysql.name;
    span.instrumentation = "sql";
    describe_database(call, {exchange.incomplete, exchange.start_ns, exchange.first_byte_ns}, info, batch, span);
}

namespace {

std::unique_ptr<Session> open(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<FramedSession<Codec>>(info, streams, requests);
}

// The client's login comes next, a second time.
std::unique_ptr<Session> go_on(const ConnectionInfo& info, Streams& streams, Direction requests, Prelude& prelude) {
    return std::make_unique<FramedSession<Codec>>(info, streams, requests,
                                                  Codec(dynamic_cast<const Codec::Greeted&>(prelude)));
}

}  // namespace

// Commands by what is read of them. No header proves itself: longer packets are not followed.
const Protocol kMysql{.name = "mysql",
                      .sniff = sniff,
                      .open = open,
                      .go_on = go_on,
                      .framing = wg_framing{.header = kHeader,
                                            .length_bytes = 3,
                                            .is_little = 1,
                                            .front = 1 + kMaxAttributes + sql::kMaxInput,
                                            .length_adds = kHeader,
                                            .max_length = 1 << 22}};

}  // namespace waggle::protocols::mysql
