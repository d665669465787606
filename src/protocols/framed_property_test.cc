// SPDX-License-Identifier: Apache-2.0
// Many Redis, PostgreSQL, MySQL, MongoDB and Memcached exchanges whose answers are known: every span says what its own
// answer said, or that it is not whole. In the second test calls are lost anywhere; a pair is never wrong then either.
#include <gtest/gtest.h>

#include <map>

#include "protocols/testing/encrypted.h"
#include "protocols/testing/seeds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::string letters(std::uint64_t number) {
    std::string text(5, 'A');
    for (char& c : text) {
        c = static_cast<char>('A' + number % 26);
        number /= 26;
    }
    return text;
}

std::string big_endian(std::size_t value) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
    return text;
}

std::string message(char type, const std::string& body) { return type + big_endian(body.size() + 4) + body; }

// How a protocol asks question `id`, and answers it: with an error that carries the id, or well.
struct Language {
    std::string_view name;
    std::string (*request)(const std::string& id, std::size_t size);
    std::string (*answer)(const std::string& id, std::size_t size, bool is_error);
    std::string (*span_name)(const std::string& id);
    std::string (*error)(const std::string& id) = [](const std::string& id) { return id; };
    // What stands before the answer to a request of this size.
    std::string (*preface)(std::size_t size) = [](std::size_t) { return std::string(); };
    // What tells the protocol.
    std::string opening;
    std::string opening_answer;
    // A statement longer than the rule hides that it is executed.
    bool has_parts = false;
    // Its spans do not name what was asked: where it stood tells.
    bool is_nameless = false;
};

std::string bulk(const std::string& text) { return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n"; }

std::string redis_answer(const std::string& id, std::size_t size, bool is_error) {
    if (is_error) return "-" + id + " wrong\r\n";
    if (size < 100) return "+OK\r\n";
    if (size % 2) return bulk(std::string(size, 'x'));
    std::string text = "*" + std::to_string(size / 10) + "\r\n";
    // Elements that look like replies, for whoever begins in the midst of them.
    for (std::size_t i = 0; i < size / 10; ++i) text += bulk("-WRONG\r\n");
    return text;
}

std::string postgres_request(const std::string& id, std::size_t size) {
    const std::string text = "SELECT * FROM " + id + " WHERE a = '" + std::string(size, 'x') + "'" + '\0';
    if (size % 2) return message('Q', text);
    using namespace std::string_literals;
    return message('P', "\0"s + text + "\0\0"s) + message('B', "\0\0\0\0\0\0\0\0"s) + message('E', "\0\0\0\0\0"s) +
           message('S', "");
}

std::string postgres_answer(const std::string& id, std::size_t size, bool is_error) {
    using namespace std::string_literals;
    std::string text;
    for (std::size_t i = 0; i < size / 100; ++i) text += message('D', "\0\1\0\0\0\x50"s + std::string(80, 'x'));
    text += is_error ? message('E', "SERROR\0C" + id + "\0Mwrong\0\0"s) : message('C', "SELECT 5\0"s);
    return text + message('Z', "I");
}

std::string packet(unsigned sequence, const std::string& body) {
    std::string text;
    for (int shift = 0; shift < 24; shift += 8) text += static_cast<char>(body.size() >> shift & 0xff);
    return text + static_cast<char>(sequence) + body;
}

const std::string kColumn = std::string("\3def\0\0\0\1a\1a\x0c\x21\0\xff\0\0\0\xfd\0\0\0\0\0", 25);

// Prepared and executed at once, as MariaDB allows, or a query.
std::string mysql_request(const std::string& id, std::size_t size) {
    using namespace std::string_literals;
    const std::string text = "SELECT * FROM " + id + " WHERE a = '" + std::string(size, 'x') + "'";
    if (size % 2) return packet(0, "\3" + text);
    return packet(0, "\x16" + text) + packet(0, "\x17\xff\xff\xff\xff\0\1\0\0\0"s);
}

std::string mysql_preface(std::size_t size) {
    using namespace std::string_literals;
    if (size % 2) return {};
    return packet(1, "\0\7\0\0\0\1\0\0\0\0\0\0"s) + packet(2, kColumn) + packet(3, "\xfe\0\0\2\0"s);
}

// Letters stand for a number below 26³.
std::string mysql_error(const std::string& id) {
    return std::to_string(id[0] - 'A' + 26 * (id[1] - 'A') + 676 * (id[2] - 'A') + 1000);
}

std::string mysql_answer(const std::string& id, std::size_t size, bool is_error) {
    using namespace std::string_literals;
    std::string text = packet(1, "\1") + packet(2, kColumn) + packet(3, "\xfe\0\0\2\0"s);
    unsigned sequence = 4;
    if (is_error) size = std::min<std::size_t>(size, 1000);  // behind rows that were not copied it cannot be told
    // Rows that look like whole answers, for whoever begins in the midst of them.
    for (std::size_t i = 0; i < size / 100; ++i)
        text += packet(sequence++, "\x4c"s + std::string(63, 'x') + "\7\0\0\1\0\0\0\2\0\0\0yy"s);
    if (!is_error) return text + packet(sequence, "\xfe\0\0\2\0"s);
    const unsigned code = static_cast<unsigned>(std::stoul(mysql_error(id)));
    return text +
           packet(sequence, "\xff"s + static_cast<char>(code & 0xff) + static_cast<char>(code >> 8) + "#HY000wrong");
}

const Language kMysql{.name = "mysql",
                      .request = mysql_request,
                      .answer = mysql_answer,
                      .span_name = [](const std::string& id) { return "SELECT " + id; },
                      .error = mysql_error,
                      .preface = mysql_preface,
                      .opening = packet(0, "\3SELECT 1"),
                      .opening_answer = mysql_answer("", 0, false),
                      .has_parts = true};
const Language kRedis{.name = "redis",
                      .request = [](const std::string& id,
                                    std::size_t size) { return "*2\r\n" + bulk(id) + bulk(std::string(size, 'x')); },
                      .answer = redis_answer,
                      .span_name = [](const std::string& id) { return id; },
                      .opening = "*1\r\n$4\r\nPING\r\n",
                      .opening_answer = "+PONG\r\n"};
const Language kPostgres{
    .name = "postgresql",
    .request = postgres_request,
    .answer = postgres_answer,
    .span_name = [](const std::string& id) { return "SELECT " + id; },
    .preface = [](std::size_t size) { return size % 2 ? std::string() : message('1', "") + message('2', ""); },
    .opening = message('Q', std::string("SELECT 1\0", 9)),
    .opening_answer = postgres_answer("", 0, false),
    .has_parts = true};

std::string little_endian(std::uint64_t value, unsigned bytes) {
    std::string text;
    for (unsigned i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i & 0xff);
    return text;
}

std::string bson(const std::string& elements) { return little_endian(elements.size() + 5, 4) + elements + '\0'; }
std::string bson_text(const std::string& name, const std::string& text) {
    return '\2' + name + '\0' + little_endian(text.size() + 1, 4) + text + '\0';
}

std::string mongodb_message(std::uint64_t id, std::uint64_t answers, const std::string& sections) {
    return little_endian(sections.size() + 20, 4) + little_endian(id, 4) + little_endian(answers, 4) +
           little_endian(2013, 4) + std::string(4, '\0') + sections;
}

// Documents behind the command, or in it.
std::string mongodb_request(const std::string& id, std::size_t size) {
    const std::string command = bson_text("insert", id);
    const std::string database = bson_text("$db", "shop");
    const std::string filler = bson(bson_text("a", std::string(size, 'x')));
    const std::uint64_t number = std::stoul(mysql_error(id));
    if (size % 2) return mongodb_message(number, 0, '\0' + bson(command + "\3filter" + '\0' + filler + database));
    const std::string documents = std::string("documents\0", 10) + filler;
    return mongodb_message(number, 0,
                           '\0' + bson(command + database) + '\1' + little_endian(documents.size() + 4, 4) + documents);
}

std::string mongodb_answer(const std::string& id, std::size_t size, bool is_error) {
    const std::uint64_t number = std::stoul(mysql_error(id));
    const auto ok = [](bool is_good) {
        return "\1ok" + std::string(7, '\0') + (is_good ? "\xf0\x3f" : std::string(2, '\0'));
    };
    if (is_error)
        return mongodb_message(number + 7, number,
                               '\0' + bson(ok(false) +
                                           "\x10"
                                           "code" +
                                           '\0' + little_endian(number, 4)));
    // Rows that look like answers, for whoever begins in the midst of them.
    std::string rows;
    for (std::size_t i = 0; i < size / 100; ++i)
        rows += "\3x" + std::string(1, '\0') + mongodb_message(number + 8, number, '\0' + bson(ok(false)));
    const std::string cursor = "\5rows" + std::string(1, '\0') + little_endian(rows.size(), 4) + '\0' + rows;
    return mongodb_message(number + 7, number,
                           '\0' + bson("\3"
                                       "cursor" +
                                       std::string(1, '\0') + bson(cursor) + ok(true)));
}

const Language kMongodb{
    .name = "mongodb",
    .request = mongodb_request,
    .answer = mongodb_answer,
    .span_name = [](const std::string& id) { return "insert " + id; },
    .error = mysql_error,
    .opening = mongodb_message(1, 0, '\0' + bson("\x10ping" + std::string(1, '\0') + little_endian(1, 4))),
    .opening_answer = mongodb_message(2, 1, '\0' + bson("\x10ok" + std::string(1, '\0') + little_endian(1, 4)))};

bool is_get(const std::string& id) { return id[0] % 2 == 0; }

std::string memcached_text_request(const std::string& id, std::size_t size) {
    if (is_get(id)) return "get " + id + "\r\n";
    return "set " + id + " 0 0 " + std::to_string(size) + "\r\n" + std::string(size, 'x') + "\r\n";
}

std::string memcached_text_answer(const std::string& id, std::size_t size, bool is_error) {
    if (is_error) return "SERVER_ERROR out of memory\r\n";
    if (!is_get(id)) return "STORED\r\n";
    // Data that looks like answers, for whoever begins in the midst of it.
    std::string data;
    while (data.size() < size) data += "SERVER_ERROR x\r\nEND\r\n";
    return "VALUE " + id + " 0 " + std::to_string(data.size()) + "\r\n" + data + "\r\nEND\r\n";
}

std::string memcached_header(char magic, const std::string& id, std::size_t key, std::size_t extras,
                             std::uint64_t status, std::size_t body) {
    const std::uint64_t number = std::stoul(mysql_error(id));
    const auto two = [](std::size_t value) { return big_endian(value).substr(2); };
    return std::string(1, magic) + (is_get(id) ? '\0' : '\1') + two(key) + static_cast<char>(extras) + '\0' +
           two(status) + big_endian(body) + big_endian(number) + std::string(8, '\0');
}

std::string memcached_binary_request(const std::string& id, std::size_t size) {
    constexpr char kRequest = static_cast<char>(0x80);
    if (is_get(id)) return memcached_header(kRequest, id, id.size(), 0, 0, id.size()) + id;
    return memcached_header(kRequest, id, id.size(), 8, 0, 8 + id.size() + size) + std::string(8, '\0') + id +
           std::string(size, 'x');
}

std::string memcached_binary_answer(const std::string& id, std::size_t size, bool is_error) {
    constexpr char kAnswer = static_cast<char>(0x81);
    if (is_error) return memcached_header(kAnswer, id, 0, 0, std::stoul(mysql_error(id)), 5) + "wrong";
    if (!is_get(id)) return memcached_header(kAnswer, id, 0, 0, 0, 0);
    std::string data;
    while (data.size() < size) data += memcached_header(kAnswer, id, 0, 0, 4, 0);
    return memcached_header(kAnswer, id, 0, 4, 0, 4 + data.size()) + std::string(4, '\0') + data;
}

const Language kMemcachedText{
    .name = "memcached_text",
    .request = memcached_text_request,
    .answer = memcached_text_answer,
    .span_name = [](const std::string& id) -> std::string { return is_get(id) ? "get" : "set"; },
    .error = [](const std::string&) -> std::string { return "SERVER_ERROR"; },
    .opening = "version\r\n",
    .opening_answer = "VERSION 1.6.18\r\n",
    .is_nameless = true};
const Language kMemcachedBinary{
    .name = "memcached_binary",
    .request = memcached_binary_request,
    .answer = memcached_binary_answer,
    .span_name = [](const std::string& id) -> std::string { return is_get(id) ? "get" : "set"; },
    .error = mysql_error,
    .opening = std::string("\x80\x0b", 2) + std::string(22, '\0'),
    .opening_answer = std::string("\x81\x0b", 2) + std::string(9, '\0') + '\6' + std::string(12, '\0') + "1.6.18",
    .is_nameless = true};

struct Question {
    bool is_error = false;
    bool is_pipelined = false;
    bool is_lossy = false;
    std::uint64_t spans = 0;
};

class World {
  public:
    World(std::uint64_t seed, const Language& language, double loss)
        : random_(seed),
          language_(language),
          loss_(loss),
          host_({.options = {}, .seed = seed, .threads_are_contexts = {}}) {}

    void run(int connections) {
        for (int i = 0; i < connections; ++i) {
            const SocketOptions options{.id = ++last_id_,
                                        .role = random_.chance(0.5) ? WG_ROLE_SERVER : WG_ROLE_CLIENT};
            talk(add_some_encrypted(host_, options, random_, now_ns_ += 10'000));
            host_.tick(now_ns_ += 5'000'000);
        }
        host_.tracker().finish(now_ns_ += kSecond, host_.batch());
        check();
    }

    std::uint64_t whole() const { return whole_; }
    std::uint64_t incomplete() const { return incomplete_; }
    std::uint64_t missing() const { return missing_; }

  private:
    // Waits for each answer; or asks several at once; or goes on asking while answers come.
    void talk(Socket& socket) {
        const std::uint64_t style = random_.below(3);
        bool is_lossy = false;
        // What tells the protocol is seen.
        say(socket, true, language_.opening, 0, is_lossy);
        say(socket, false, language_.opening_answer, 0, is_lossy);
        std::vector<std::pair<std::string, std::size_t>> open;
        std::string answers;
        for (int turn = 0; turn < 12; ++turn) {
            // That a client does not wait is shown before anything is missing: else nobody can know.
            const bool is_first = style == 2 && turn < 3;
            const std::uint64_t count = style == 0 ? 1 : 1 + random_.below(4);
            std::string requests;
            std::vector<std::size_t> begins;
            for (std::uint64_t i = 0; i < count; ++i) {
                const std::string id = letters(++last_question_);
                Question& question = questions_[id];
                question = {.is_error = random_.chance(0.5), .is_pipelined = style != 0};
                std::size_t request = size(is_first ? 0 : 0.1);
                if (language_.has_parts && request % 2 == 0) request = std::min<std::size_t>(request, 12'000);
                const std::size_t answer = size(is_first ? 0 : 0.2);
                begins.push_back(requests.size());
                requests += language_.request(id, request);
                answers += language_.preface(request);
                answers += language_.answer(id, answer, question.is_error);
                open.emplace_back(id, 0);
            }
            const double loss = is_first ? 0 : loss_;
            const std::uint64_t position = say(socket, true, requests, loss, is_lossy);
            for (std::size_t i = 0; i < begins.size(); ++i)
                places_[{socket.options().id, static_cast<std::uint32_t>(position + begins[i])}] =
                    open[open.size() - begins.size() + i].first;
            // Some of what is due, or all of it.
            const bool is_part = style == 2 && turn < 11 && (is_first || random_.chance(0.5));
            const std::size_t now = is_part ? 1 + random_.below(answers.size() - 1) : answers.size();
            for (std::size_t at = 0; at < now;) {
                // The last bytes of a call are told as eight: shorter calls have some that nobody knows.
                std::size_t call = std::min(now - at, 8 + random_.below(9000));
                if (now - at - call < 8) call = now - at;
                say(socket, false, answers.substr(at, call), loss, is_lossy);
                at += call;
            }
            answers.erase(0, now);
            if (random_.chance(0.3)) host_.tick(now_ns_ += 5'000'000);
            if (answers.empty() && random_.chance(0.1)) host_.tick(now_ns_ += 2 * kSecond);
        }
        flush(socket);
        for (const auto& [id, unused] : open) questions_[id].is_lossy = is_lossy;
        host_.tick(now_ns_ += 5'000'000);
        host_.tick(now_ns_ += 300'000'000);
        host_.tick(now_ns_ += 300'000'000);
        host_.report_close(beneath(host_, socket), now_ns_ += 1000);
        host_.tick(now_ns_ += 5'000'000);
    }

    std::size_t size(double big) { return random_.chance(big) ? random_.below(30'000) : random_.below(60); }

    // Where in the stream it stands.
    std::uint64_t say(Socket& socket, bool is_request, const std::string& bytes, double loss, bool& is_lossy) {
        if (bytes.empty()) return 0;
        const bool is_send = is_request == (beneath(host_, socket).options().role == WG_ROLE_CLIENT);
        Move move = socket.moved(is_send ? WG_SEND : WG_RECEIVE, bytes, now_ns_ += 10'000);
        move.is_lost = random_.chance(loss);
        is_lossy |= move.is_lost;
        // A send is reported when its call has returned, maybe after the answer was read.
        if (is_send && is_request && !socket.options().is_plain && !late_ && random_.chance(0.2)) {
            late_ = move;
            return move.position;
        }
        if (is_send) flush(socket);
        report_call(host_, random_, socket, move);
        flush(socket);
        return move.position;
    }

    void flush(Socket& socket) {
        if (!late_) return;
        const Move move = *late_;
        late_.reset();
        report_call(host_, random_, socket, move);
    }

    void check() {
        for (const spans::Span& span : host_.batch()) {
            const std::string_view name = span.name;
            if (name == "PING" || name == "SELECT" || name == "ping" || name == "version") continue;
            const std::string id = language_.is_nameless
                                       ? places_[{span.connection, span.sequence.request}]
                                       : std::string(name.substr(name.size() - std::min<std::size_t>(5, name.size())));
            const auto found = questions_.find(id);
            ASSERT_NE(found, questions_.end()) << name;
            Question& question = found->second;
            ASSERT_EQ(language_.span_name(id), name);
            ASSERT_EQ(++question.spans, 1u) << name;
            const std::string_view error = span.attributes.text(attr::error_type);
            const bool is_clear =
                span.attributes.text(attr::waggle_unknown).find(attr::error_type) == std::string_view::npos;
            const bool is_whole = span.incomplete == spans::Incomplete::No && is_clear;
            (is_whole ? whole_ : incomplete_) += 1;
            SCOPED_TRACE(std::string(name) + (question.is_pipelined ? " pipelined" : "") +
                         (question.is_lossy ? " lossy" : ""));
            EXPECT_TRUE(is_whole || question.is_lossy || question.is_pipelined) << static_cast<int>(span.incomplete);
            if (error == "_OTHER" || error == language_.error(id)) {
                EXPECT_TRUE(question.is_error);
            } else if (error.empty()) {
                EXPECT_FALSE(is_whole && question.is_error);
            } else {
                EXPECT_EQ(error, "connection_closed");
            }
        }
        for (const auto& [id, question] : questions_) {
            if (question.spans > 0) continue;
            ++missing_;
            EXPECT_TRUE(question.is_lossy || question.is_pipelined) << id << " is missing";
        }
        std::uint64_t seen = 0, exported = 0;
        for (const Counts& counts : host_.tracker().counts()) seen += counts.seen, exported += counts.exported;
        EXPECT_EQ(seen, exported);
    }

    Random random_;
    const Language& language_;
    double loss_;
    Host host_;
    std::map<std::string, Question> questions_;
    std::map<std::pair<std::uint64_t, std::uint32_t>, std::string> places_;  // of questions, by connection
    std::optional<Move> late_;
    std::uint64_t last_id_ = 0;
    std::uint64_t last_question_ = 0;
    std::uint64_t now_ns_ = kSecond;
    std::uint64_t whole_ = 0;
    std::uint64_t incomplete_ = 0;
    std::uint64_t missing_ = 0;
};

class FramedProperty : public ::testing::TestWithParam<const Language*> {};

TEST_P(FramedProperty, PairsAreRight) {
    std::uint64_t whole = 0, others = 0;
    for (std::uint64_t seed = 1; seed <= seeds_to_play(15); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, *GetParam(), 0);
        world.run(60);
        whole += world.whole();
        others += world.incomplete() + world.missing();
        if (HasFailure()) return;
    }
    RecordProperty("whole", static_cast<int>(whole));
    // Who does not wait for answers longer than the rules lets some go by.
    EXPECT_GT(whole, 2 * others) << others;
}

TEST_P(FramedProperty, NoPairIsWrongWhenCallsAreLost) {
    std::uint64_t whole = 0, others = 0;
    for (std::uint64_t seed = 1; seed <= seeds_to_play(30); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, *GetParam(), 0.02);
        world.run(60);
        whole += world.whole();
        others += world.incomplete() + world.missing();
        if (HasFailure()) return;
    }
    EXPECT_GT(others, 0u);
    EXPECT_GT(whole, others) << others;
}

INSTANTIATE_TEST_SUITE_P(Languages, FramedProperty,
                         ::testing::Values(&kRedis, &kPostgres, &kMysql, &kMongodb, &kMemcachedText, &kMemcachedBinary),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace waggle::protocols::testing
