// SPDX-License-Identifier: Apache-2.0
// Many Redis, PostgreSQL, MySQL, MongoDB and Memcached exchanges whose answers are known: every span says what its own
// answer said, or that it is not whole. In the second test calls are lost anywhere; a pair is never wrong then either.
#include <gtest/gtest.h>

#include <map>

#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

std::string letters(std::uint64_t number) {
    std::string text(5, 'A');
    for (char& c : text) {
        c = static_cast<char>('A' + number % 26);
        number /= 26;
    }
    return text;
}

// What letters() made, 0 where it was not.
std::uint64_t number(std::string_view text) {
    std::uint64_t number = 0;
    for (std::size_t i = text.size(); i-- > 0;) number = 26 * number + static_cast<std::uint64_t>(text[i] - 'A');
    return number;
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
    // What the server says unasked, between its answers.
    std::string (*push)(std::size_t size) = [](std::size_t) { return std::string(); };
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
const Language kRedis{
    .name = "redis",
    .request = [](const std::string& id,
                  std::size_t size) { return "*3\r\n" + bulk("SET") + bulk(id) + bulk(std::string(size, 'x')); },
    .answer = redis_answer,
    .span_name = [](const std::string&) -> std::string { return "SET"; },
    .push = [](std::size_t size) { return ">2\r\n" + bulk("invalidate") + "*1\r\n" + bulk(std::string(size, '-')); },
    .opening = "*1\r\n$4\r\nPING\r\n",
    .opening_answer = "+PONG\r\n",
    .is_nameless = true};
const Language kPostgres{
    .name = "postgresql",
    .request = postgres_request,
    .answer = postgres_answer,
    .span_name = [](const std::string& id) { return "SELECT " + id; },
    .preface = [](std::size_t size) { return size % 2 ? std::string() : message('1', "") + message('2', ""); },
    .push =
        [](std::size_t size) {
            using namespace std::string_literals;
            return message('N', "SNOTICE\0C00000\0M"s + std::string(size, 'E') + "\0\0"s) +
                   message('A', "\0\0\0\7channel\0"s + std::string(size, 'Z') + '\0') +
                   message('S', "TimeZone\0UTC\0"s);
        },
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

class FramedWorld final : public World {
  public:
    FramedWorld(std::uint64_t seed, const Language& language, double loss) : World(seed, loss), language_(language) {}

  private:
    // Waits for each answer; or asks several at once; or goes on asking while answers come.
    void talk() override {
        // Of who was there before nobody knows that it does not wait.
        const std::uint64_t style = random_.below(is_older() ? 2 : 3);
        // What is said unasked makes a turn of answers longer than what is copied of it.
        const bool has_pushes = random_.chance(0.2);
        if (style != 0 || has_pushes) excuse();
        // What tells the protocol is seen.
        say(true, language_.opening, 0);
        say(false, language_.opening_answer, 0);
        std::string answers;
        for (int turn = 0; turn < 12; ++turn) {
            // That a client does not wait is shown before anything is missing: else nobody can know.
            const bool is_first = style == 2 && turn < 3;
            const std::uint64_t count = style == 0 ? 1 : 1 + random_.below(4);
            std::string requests;
            std::vector<std::pair<std::size_t, std::uint64_t>> begins;
            for (std::uint64_t i = 0; i < count; ++i) {
                ask(++last_question_);
                const std::string id = letters(last_question_);
                const bool is_error = is_error_[last_question_] = random_.chance(0.5);
                std::size_t request = size(is_first ? 0 : 0.1);
                if (language_.has_parts && request % 2 == 0) request = std::min<std::size_t>(request, 12'000);
                const std::size_t answer = size(is_first ? 0 : 0.2);
                begins.emplace_back(requests.size(), last_question_);
                requests += language_.request(id, request);
                if (has_pushes && random_.chance(0.3)) answers += language_.push(size(0.1));
                answers += language_.preface(request);
                answers += language_.answer(id, answer, is_error);
            }
            const double loss = is_first ? 0 : loss_;
            const std::uint64_t position = say(true, requests, loss);
            for (const auto& [begin, question] : begins)
                places_[{socket_->id(), static_cast<std::uint32_t>(position + begin)}] = question;
            if (turn == 11) end_asking();
            // Some of what is due, or all of it.
            const bool is_part = style == 2 && turn < 11 && (is_first || random_.chance(0.5));
            const std::size_t now = is_part ? 1 + random_.below(answers.size() - 1) : answers.size();
            say_in_calls(false, answers.substr(0, now), loss);
            answers.erase(0, now);
            if (random_.chance(0.3)) tick(5'000'000);
            if (answers.empty() && random_.chance(0.1)) tick(2 * kSecond);
            if (has_pushes && answers.empty()) say_in_calls(false, language_.push(size(0.1)), loss);
        }
    }

    std::size_t size(double big) { return random_.chance(big) ? random_.below(30'000) : random_.below(60); }
    bool may_be_late(bool is_client) const override { return is_client; }

    Reading read(const spans::Span& span) override {
        const std::string_view name = span.name;
        if (name == "PING" || name == "SELECT" || name == "ping" || name == "version") return {};
        const std::uint64_t question = language_.is_nameless
                                           ? places_[{span.connection, span.sequence.request}]
                                           : number(name.substr(name.size() - std::min<std::size_t>(5, name.size())));
        const std::string id = letters(question);
        EXPECT_EQ(language_.span_name(id), name);
        const std::string_view error = span.attributes.text(attr::error_type);
        const bool is_clear =
            span.attributes.text(attr::waggle_unknown).find(attr::error_type) == std::string_view::npos;
        const bool is_whole = span.incomplete == spans::Incomplete::No && is_clear;
        if (error == "_OTHER" || error == language_.error(id)) {
            EXPECT_TRUE(is_error_[question]);
        } else if (error.empty()) {
            EXPECT_FALSE(is_whole && is_error_[question]);
        } else {
            EXPECT_EQ(error, "connection_closed");
        }
        return {question, is_whole, span.incomplete == spans::Incomplete::No && !is_clear};
    }

    const Language& language_;
    std::map<std::uint64_t, bool> is_error_;
    std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t> places_;  // of questions, by connection
    std::uint64_t last_question_ = 0;
};

class FramedProperty : public ::testing::TestWithParam<const Language*> {
  protected:
    static void play(double loss, std::uint64_t seeds) {
        play_worlds([=](std::uint64_t seed) { return FramedWorld(seed, *GetParam(), loss); }, seeds, 60,
                    loss > 0 ? 1 : 2);
    }
};

// Who does not wait for answers longer than the rules lets some go by.
TEST_P(FramedProperty, PairsAreRight) { play(0, 8); }
TEST_P(FramedProperty, NoPairIsWrongWhenCallsAreLost) { play(0.02, 15); }

INSTANTIATE_TEST_SUITE_P(Languages, FramedProperty,
                         ::testing::Values(&kRedis, &kPostgres, &kMysql, &kMongodb, &kMemcachedText, &kMemcachedBinary),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace waggle::protocols::testing
