// SPDX-License-Identifier: Apache-2.0
#include "protocols/postgres/codec.h"

#include <utility>

#include "base/strings.h"
#include "protocols/postgres/postgres.h"

namespace waggle::protocols::postgres {
namespace {

using RequestKind = RequestEffect::Kind;

constexpr std::size_t kHeader = 5;

// As the server reads it: any beginning that fits nothing else.
bool is_false(std::string_view value) {
    if (value.empty()) return false;
    for (const std::string_view word : {"false", "no", "0"})
        if (equals_ignoring_case(value, word.substr(0, value.size()))) return true;
    return value.size() > 1 && equals_ignoring_case(value, std::string_view("off").substr(0, value.size()));
}

}  // namespace

void Codec::Response::clear() {
    has_code = is_failed = is_aborted = false;
    command.clear();
    returned_rows = -1;
}

Parsed<Unit> Codec::parse(Side side, std::string_view bytes, bool is_final) const {
    if (side == Side::Request) return parse_frontend(bytes, is_final);
    if (bytes.empty()) return std::unexpected(Stop::NeedMore);
    // The answer to a request for encryption is one letter.
    if ((awaits(Awaits::Ssl) || awaits(Awaits::Gss)) && bytes[0] != 'E') return Unit{.size = 1, .front = 1};
    return parse_backend(bytes, is_final);
}

Codec::Expected& Codec::push(Awaits what, bool ends_exchange) {
    ++pushed_;
    return queue_.emplace_back(Expected{.what = what, .ends_exchange = ends_exchange, .parsed = {}, .replaced = {}});
}

Codec::Expected Codec::pop() {
    Expected popped = std::move(queue_[first_++]);
    if (first_ == queue_.size()) {
        queue_.clear();
        first_ = 0;
    } else if (first_ >= 1024) {
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    return popped;
}

void Codec::forget(std::size_t count) {
    for (; count > 0 && expected() > 0; --count) undo(pop(), nullptr);
    is_copying_ = is_finishing_ = has_both_copies_ = false;
}

void Codec::forget_names() {
    statements_.clear();
    portals_.clear();
    last_.reset();
}

const Codec::StatementPtr& Codec::now(const StatementPtr& statement) {
    return statement && statement->is_undone ? statement->instead : statement;
}

Codec::StatementPtr Codec::find(const ByName& names, std::string_view name) const {
    const auto found = names.find(std::string(name));
    return found == names.end() ? nullptr : now(found->second);
}

void Codec::keep(ByName& names, std::string_view name, StatementPtr statement) {
    // Whatever made so many never closes them: what is forgotten is unknown.
    if (names.size() >= kMaxStatements && !names.contains(std::string(name))) names.clear();
    StatementPtr& kept = names[std::string(name)];
    // Nobody else's: its memory serves the next one.
    if (kept.use_count() == 1) spare_ = std::move(kept);
    kept = std::move(statement);
}

sql::Reading Codec::reading(const Options& options, bool is_cut) const {
    return {.dialect = sql::Dialect::PostgreSql,
            .has_backslashes = has_backslashes_,
            .is_cut = is_cut,
            .is_sanitized = options.sanitizes_queries};
}

RequestEffect Codec::start_up(std::string_view body) {
    std::string_view user;
    std::string_view database;
    bool is_replication = false;
    while (!body.empty() && body[0] != '\0') {
        const std::string_view name = take_text(body);
        const std::string_view value = take_text(body);
        if (name == "user") user = value;
        if (name == "database") database = value;
        if (name == "replication") is_replication = !is_false(value);
    }
    if (is_replication) return {.kind = RequestKind::Over};
    database_.assign((database.empty() ? user : database).substr(0, 128));
    push(Awaits::Startup);
    return {.is_expecting = true};
}

RequestEffect Codec::open_message(std::string_view front) {
    switch (*opening_of(front)) {
        case Opening::Startup:
            return start_up(front.substr(8));
        case Opening::Ssl:
            push(Awaits::Ssl);
            break;
        case Opening::Gss:
            push(Awaits::Gss);
            break;
        case Opening::Cancel:
            return {.kind = RequestKind::Over};
    }
    return {.kind = RequestKind::Nothing, .is_expecting = true};
}

RequestEffect Codec::parse_statement(std::string_view body, bool is_cut, const Options& options) {
    const std::string_view name = take_text(body);
    StatementPtr statement = spare_ ? std::exchange(spare_, {}) : std::make_shared<Statement>();
    statement->is_undone = false;
    statement->instead.reset();
    const bool is_open = is_cut && body.find('\0') == std::string_view::npos;
    sql::read_statement(take_text(body), reading(options, is_open), statement->facts);
    last_ = statement;
    // The server forgets the unnamed one before it looks at the new one.
    StatementPtr replaced = name.empty() ? nullptr : find(statements_, name);
    keep(statements_, name, last_);
    return part(Awaits::Parse, std::move(statement), std::move(replaced));
}

// The server has not done it, because it or something before it failed; or nobody knows whether it has.
void Codec::undo(const Expected& step, const StatementPtr& instead) {
    if (step.what == Awaits::Bind) portals_.clear();
    if (!step.parsed) return;
    step.parsed->is_undone = true;
    step.parsed->instead = now(instead);
}

void Codec::bind(std::string_view body) {
    const std::string_view portal = take_text(body);
    last_ = find(statements_, take_text(body));
    keep(portals_, portal, last_);
}

// By the parts that open the next exchange: then this is what was asked, whatever becomes of it.
bool Codec::is_parsed_here(const StatementPtr& statement) const {
    for (std::size_t i = queue_.size(); i > first_; --i) {
        const Expected& step = queue_[i - 1];
        if (step.ends_exchange || step.what == Awaits::Sync) return false;
        if (step.parsed == statement) return true;
    }
    return false;
}

void Codec::set_request(const StatementPtr& statement, Request& request) const {
    request.has_text = true;
    request.has_facts = statement && is_parsed_here(statement);
    request.statement = request.has_facts ? nullptr : statement;
    if (request.has_facts) request.facts = statement->facts;
}

// Null: unknown.
const sql::Facts* Codec::facts_of(const Request& request) {
    if (request.has_facts) return &request.facts;
    const StatementPtr& statement = now(request.statement);
    return statement ? &statement->facts : nullptr;
}

RequestEffect Codec::part(Awaits what, StatementPtr parsed, StatementPtr replaced) {
    if (is_skipping_) return {};
    has_parts_ = true;
    if (what == Awaits::Parse) is_bound_ = false;
    Expected& expected = push(what);
    expected.parsed = std::move(parsed);
    expected.replaced = std::move(replaced);
    return {.kind = RequestKind::Part, .is_expecting = true};
}

// Sync or Flush: what was only prepared is an exchange for itself.
RequestEffect Codec::end_parts(bool is_sync, Request& request) {
    RequestEffect effect;
    if (has_parts_ && expected() > 0) {
        set_request(last_, request);
        queue_.back().ends_exchange = true;
        effect.kind = RequestKind::Silent;
    } else if (has_parts_) {  // answered before they ended, or given up after a loss
        effect.kind = RequestKind::Drops;
    }
    has_parts_ = false;
    last_.reset();
    if (!is_sync) return effect;
    is_skipping_ = false;
    push(Awaits::Sync);
    effect.is_expecting = true;
    return effect;
}

RequestEffect Codec::on_request(std::string_view front, const Unit& unit, Request& request, const Options& options) {
    if (expected() >= kMaxExpected) return {.kind = RequestKind::Over};
    if (front[0] == '\0') {
        if (unit.is_cut) return {.kind = RequestKind::Invalid};
        return open_message(front);
    }
    std::string_view body = front.substr(kHeader);
    switch (front[0]) {
        case 'Q': {
            const bool is_open = body.find('\0') == std::string_view::npos;
            request.has_facts = request.has_text = true;
            request.statement.reset();
            sql::read_statement(take_text(body), reading(options, is_open), request.facts);
            has_parts_ = is_skipping_ = false;
            push(Awaits::Query, true);
            return {.kind = RequestKind::Opens, .is_expecting = true};
        }
        case 'P':
            if (is_skipping_) return {};
            return parse_statement(body, unit.front < unit.size, options);
        case 'B':
            if (!is_skipping_) bind(body);
            is_bound_ = true;
            return part(Awaits::Bind);
        case 'D': {
            if (!is_skipping_ && !has_parts_ && !body.empty())
                last_ = find(body[0] == 'S' ? statements_ : portals_, body.substr(1, body.find('\0', 1) - 1));
            return part(Awaits::Describe);
        }
        case 'C':
            if (is_skipping_) return {};
            if (!body.empty()) {
                const std::string_view name = body.substr(1, body.find('\0', 1) - 1);
                (body[0] == 'S' ? statements_ : portals_).erase(std::string(name));
            }
            push(Awaits::Close);
            return {.is_expecting = true};
        case 'E':
            if (is_skipping_) return {};
            set_request(find(portals_, take_text(body)), request);
            has_parts_ = false;
            push(Awaits::Execute, true);
            return {.kind = RequestKind::Opens, .is_expecting = true};
        case 'F':
            request.has_facts = request.has_text = false;
            request.statement.reset();
            push(Awaits::Query, true);
            return {.kind = RequestKind::Opens, .is_expecting = true};
        case 'S':
            return end_parts(true, request);
        case 'H':
            return end_parts(false, request);
        default:
            return {};  // copied data, passwords, Terminate
    }
}

// What was bound is executed and synchronised behind the values that were not captured.
RequestEffect Codec::on_hole(Request& request) {
    if (!has_parts_ || !is_bound_) return {.kind = RequestKind::Drops};
    set_request(last_, request);
    has_parts_ = false;
    push(Awaits::Execute, true);
    push(Awaits::Sync);
    return {.kind = RequestKind::Opens, .is_expecting = true};
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) const {
    const Request& request = exchange.request;
    const Response& response = exchange.response;
    DatabaseCall call{.system = "postgresql", .database = database_};
    if (const sql::Facts* const facts = facts_of(request)) {
        call.name = facts->summary;
        call.operation = facts->operation;
        call.collection = facts->collection;
        call.summary = facts->summary;
        call.text = facts->text;
        call.batch_size = facts->statements;
    } else {
        call.operation = response.command;
        call.is_text_unknown = request.has_text;
    }
    const std::string_view code(response.code.data(), response.code.size());
    if (response.is_failed) {
        call.status_code = response.has_code ? code : std::string_view{};
        call.error_type = response.has_code     ? code
                          : response.is_aborted ? std::string_view("pipeline_aborted")
                                                : std::string_view("_OTHER");
    }
    call.returned_rows = response.returned_rows;
    span.protocol = kPostgres.name;
    span.instrumentation = "sql";
    describe_database(call, {exchange.incomplete, exchange.start_ns, exchange.first_byte_ns}, info, batch, span);
}

namespace {

std::unique_ptr<Session> open(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<FramedSession<Codec>>(info, streams, requests);
}

}  // namespace

// Rows, copied data and bound values by their fronts, in which the names stand.
const Protocol kPostgres{.name = "postgresql",
                         .sniff = sniff,
                         .open = open,
                         .framing = wg_framing{.header = 5,
                                               .length_at = 1,
                                               .length_bytes = 4,
                                               .type_at = 0,
                                               .types = 128,
                                               .front = kMaxNames,
                                               .length_adds = 1,
                                               .whole_types = kAllTypes & ~(type_bit('D') | type_bit('B')),
                                               .max_length = 1 << 30}};

}  // namespace waggle::protocols::postgres
