// SPDX-License-Identifier: Apache-2.0
#include "protocols/memcached/messages.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace waggle::protocols::memcached {
namespace {

constexpr std::size_t kHeader = 24;
constexpr std::size_t kMaxLine = 64 * 1024;
constexpr std::size_t kMaxKey = 250;
constexpr std::uint64_t kMaxData = std::uint64_t{1} << 30;

enum class Form : std::uint8_t { Storage, Keys, KeyNumber, Key, Meta, MetaData, Other };

struct Row {
    std::string_view name;
    Form form;
    Answer answer;
};

constexpr std::array<Row, 31> kCommands = {{
    {"set", Form::Storage, Answer::Line},
    {"add", Form::Storage, Answer::Line},
    {"replace", Form::Storage, Answer::Line},
    {"append", Form::Storage, Answer::Line},
    {"prepend", Form::Storage, Answer::Line},
    {"cas", Form::Storage, Answer::Line},
    {"get", Form::Keys, Answer::Values},
    {"gets", Form::Keys, Answer::Values},
    {"gat", Form::Keys, Answer::Values},
    {"gats", Form::Keys, Answer::Values},
    {"delete", Form::Key, Answer::Line},
    {"incr", Form::KeyNumber, Answer::Line},
    {"decr", Form::KeyNumber, Answer::Line},
    {"touch", Form::KeyNumber, Answer::Line},
    {"mg", Form::Meta, Answer::Meta},
    {"ms", Form::MetaData, Answer::Meta},
    {"md", Form::Meta, Answer::Meta},
    {"ma", Form::Meta, Answer::Meta},
    {"me", Form::Meta, Answer::Meta},
    {"mn", Form::Other, Answer::NoOp},
    {"stats", Form::Other, Answer::Stats},
    {"version", Form::Other, Answer::Line},
    {"verbosity", Form::Other, Answer::Line},
    {"flush_all", Form::Other, Answer::Line},
    {"cache_memlimit", Form::Other, Answer::Line},
    {"slabs", Form::Other, Answer::Line},
    {"lru", Form::Other, Answer::Line},
    {"lru_crawler", Form::Other, Answer::Line},
    {"quit", Form::Other, Answer::None},
    {"shutdown", Form::Other, Answer::None},
    {"watch", Form::Other, Answer::Stream},
}};

struct Opcode {
    std::uint8_t code;
    std::uint8_t quiet;  // its quiet form, 0xff: none
    std::string_view name;
    std::uint8_t extras;
    bool has_key;
};

constexpr std::array<Opcode, 20> kOpcodes = {{
    {0x00, 0x09, "get", 0, true},        {0x0c, 0x0d, "get", 0, true},       {0x01, 0x11, "set", 8, true},
    {0x02, 0x12, "add", 8, true},        {0x03, 0x13, "replace", 8, true},   {0x04, 0x14, "delete", 0, true},
    {0x05, 0x15, "incr", 20, true},      {0x06, 0x16, "decr", 20, true},     {0x07, 0x17, "quit", 0, false},
    {0x08, 0x18, "flush_all", 4, false}, {0x0a, 0xff, "noop", 0, false},     {0x0b, 0xff, "version", 0, false},
    {0x0e, 0x19, "append", 0, true},     {0x0f, 0x1a, "prepend", 0, true},   {0x10, 0xff, "stats", 0, false},
    {0x1b, 0xff, "verbosity", 4, false}, {0x1c, 0xff, "touch", 4, true},     {0x1d, 0x1e, "gat", 4, true},
    {0x20, 0xff, "sasl_list", 0, false}, {0x21, 0xff, "sasl_auth", 0, true},
}};

std::uint64_t read_number(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = at; i < at + size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

bool is_key(std::string_view word) {
    return !word.empty() && word.size() <= kMaxKey &&
           std::ranges::none_of(word, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

bool is_number(std::string_view word) {
    if (word.starts_with('-')) word.remove_prefix(1);
    return parse_int<std::uint64_t>(word).has_value();
}

const Row* find_command(std::string_view name) {
    const auto found = std::ranges::find(kCommands, name, &Row::name);
    return found == kCommands.end() ? nullptr : &*found;
}

bool read_storage(std::string_view rest, Command& command) {
    const bool is_cas = command.name == "cas";
    if (!is_key(take_word(rest)) || !is_number(take_word(rest)) || !is_number(take_word(rest))) return false;
    const auto size = parse_int<std::uint64_t>(take_word(rest));
    if (!size || *size > kMaxData || (is_cas && !is_number(take_word(rest)))) return false;
    command.has_data = true;
    command.data = *size;
    const std::string_view last = take_word(rest);
    if (last == "noreply") command.answer = Answer::None;
    return last.empty() || last == "noreply";
}

bool read_meta(std::string_view rest, bool has_data, Command& command) {
    if (!is_key(take_word(rest))) return false;
    if (has_data) {
        std::string_view word = take_word(rest);
        if (word.starts_with('S')) word.remove_prefix(1);  // of the first version
        const auto size = parse_int<std::uint64_t>(word);
        if (!size || *size > kMaxData) return false;
        command.has_data = true;
        command.data = *size;
    }
    for (std::string_view flag = take_word(rest); !flag.empty(); flag = take_word(rest)) {
        if (flag == "q") command.is_quiet = true;
        if (flag[0] == 'O') command.opaque = flag.substr(1);
    }
    return true;
}

Parsed<std::size_t> line_size(std::string_view bytes) {
    const std::size_t end = bytes.find('\n');
    if (end != std::string_view::npos) return end + 1;
    return std::unexpected(bytes.size() > kMaxLine ? Stop::Invalid : Stop::NeedMore);
}

}  // namespace

std::string_view take_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    return word;
}

std::optional<Command> read_command(std::string_view line) {
    line = trim(line, "\r\n");
    const Row* row = find_command(take_word(line));
    if (!row) return {};
    Command command{.name = row->name, .answer = row->answer};
    std::string_view rest = line;
    switch (row->form) {
        case Form::Storage:
            if (!read_storage(rest, command)) return {};
            return command;
        case Form::Keys:
            if (command.name.starts_with("gat") && !is_number(take_word(rest))) return {};
            if (!is_key(take_word(rest))) return {};
            return command;
        case Form::KeyNumber:
            if (!is_key(take_word(rest)) || !is_number(take_word(rest))) return {};
            break;
        case Form::Key:
            if (!is_key(take_word(rest))) return {};
            break;
        case Form::Meta:
        case Form::MetaData:
            if (!read_meta(rest, row->form == Form::MetaData, command)) return {};
            return command;
        case Form::Other:
            break;
    }
    if (rest.ends_with(" noreply")) command.answer = Answer::None;
    return command;
}

std::optional<Command> read_binary(std::string_view header) {
    if (header.size() < kHeader) return {};
    const auto code = static_cast<std::uint8_t>(header[1]);
    const auto found =
        std::ranges::find_if(kOpcodes, [&](const Opcode& one) { return one.code == code || one.quiet == code; });
    if (found == kOpcodes.end()) return {};
    return Command{.name = found->name,
                   .answer = Answer::Binary,
                   .is_quiet = found->code != code,
                   .opcode = code,
                   .number = static_cast<std::uint32_t>(read_number(header, 12, 4))};
}

Parsed<Unit> parse_request(std::string_view bytes) {
    if (bytes.empty()) return std::unexpected(Stop::NeedMore);
    if (bytes[0] == kRequestMagic) {
        if (bytes.size() < kHeader) return std::unexpected(Stop::NeedMore);
        const std::uint64_t body = read_number(bytes, 8, 4);
        if (body < read_number(bytes, 2, 2) + read_number(bytes, 4, 1)) return std::unexpected(Stop::Invalid);
        return Unit{.size = kHeader + body, .front = kHeader};
    }
    const auto line = line_size(bytes);
    if (!line) return std::unexpected(line.error());
    const auto command = read_command(bytes.substr(0, *line));
    const std::uint64_t data = command && command->has_data ? command->data + 2 : 0;
    return Unit{.size = *line + data, .front = *line};
}

Parsed<Unit> parse_response(std::string_view bytes) {
    if (bytes.empty()) return std::unexpected(Stop::NeedMore);
    if (bytes[0] == kResponseMagic) {
        if (bytes.size() < kHeader) return std::unexpected(Stop::NeedMore);
        return Unit{.size = kHeader + read_number(bytes, 8, 4), .front = kHeader};
    }
    if (static_cast<unsigned char>(bytes[0]) < 0x20 || (bytes[0] & 0x80)) return std::unexpected(Stop::Invalid);
    const auto line = line_size(bytes);
    if (!line) return std::unexpected(line.error());
    std::string_view rest = trim(bytes.substr(0, *line), "\r\n");
    const std::string_view word = take_word(rest);
    std::uint64_t data = 0;
    if (word == "VALUE" || word == "VA") {
        if (word == "VALUE") take_word(rest), take_word(rest);
        const auto size = parse_int<std::uint64_t>(take_word(rest));
        if (!size || *size > kMaxData) return std::unexpected(Stop::Invalid);
        data = *size + 2;
    }
    return Unit{.size = *line + data, .front = *line};
}

namespace {

Sniff sniff_binary(std::string_view bytes) {
    if (bytes.size() < kHeader) return Sniff::NeedMore;
    const auto command = read_binary(bytes);
    if (!command || bytes[5] != 0) return Sniff::No;
    const auto found = std::ranges::find(kOpcodes, command->name, &Opcode::name);
    const std::uint64_t key = read_number(bytes, 2, 2);
    const std::uint64_t extras = read_number(bytes, 4, 1);
    const std::uint64_t body = read_number(bytes, 8, 4);
    const bool fits = key <= kMaxKey && (key > 0 || !found->has_key) && key + extras <= body && body <= kMaxData &&
                      (extras == found->extras || extras == 0);
    return fits ? Sniff::Yes : Sniff::No;
}

}  // namespace

// A whole command with its key: single words are anybody's.
Sniff sniff(std::string_view bytes, Side side) {
    if (side == Side::Response) return Sniff::No;
    if (bytes.empty()) return Sniff::NeedMore;
    if (bytes[0] == kRequestMagic) return sniff_binary(bytes);
    if (bytes[0] < 'a' || bytes[0] > 't') return Sniff::No;
    const std::size_t end = bytes.find('\n');
    const std::string_view line = bytes.substr(0, end);
    const std::string_view name = line.substr(0, line.find(' '));
    if (end == std::string_view::npos && name.size() == line.size()) {
        const bool may_be = std::ranges::any_of(
            kCommands, [&](const Row& row) { return row.form != Form::Other && row.name.starts_with(name); });
        return may_be ? Sniff::NeedMore : Sniff::No;
    }
    const Row* row = find_command(name);
    if (!row || row->form == Form::Other) return Sniff::No;
    for (const char c : line)
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\r') || c == 0x7f) return Sniff::No;
    if (end == std::string_view::npos) return line.size() > 2048 ? Sniff::No : Sniff::NeedMore;
    // Another protocol's first line may begin with such a word.
    if (!line.ends_with('\r') || line.find(" HTTP/") != std::string_view::npos) return Sniff::No;
    return read_command(line) ? Sniff::Yes : Sniff::No;
}

}  // namespace waggle::protocols::memcached
