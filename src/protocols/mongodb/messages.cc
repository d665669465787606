// SPDX-License-Identifier: Apache-2.0
#include "protocols/mongodb/messages.h"

#include <algorithm>
#include <array>

#include "protocols/mongodb/bson.h"

namespace waggle::protocols::mongodb {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::uint32_t kChecksum = 1, kMoreToCome = 2;
// Bits below 16 that a peer must know.
constexpr std::uint32_t kUnknownFlags = 0xfffc;

// Commands whose first value is the collection's name. Others' may be a user's, or anything.
constexpr std::array<std::string_view, 25> kOnCollections = {"find",
                                                             "insert",
                                                             "update",
                                                             "delete",
                                                             "aggregate",
                                                             "count",
                                                             "distinct",
                                                             "findAndModify",
                                                             "findandmodify",
                                                             "create",
                                                             "drop",
                                                             "createIndexes",
                                                             "dropIndexes",
                                                             "deleteIndexes",
                                                             "listIndexes",
                                                             "collMod",
                                                             "collStats",
                                                             "mapReduce",
                                                             "mapreduce",
                                                             "validate",
                                                             "compact",
                                                             "reIndex",
                                                             "createSearchIndexes",
                                                             "dropSearchIndex",
                                                             "updateSearchIndex"};

// Elements of answers that an error has not.
constexpr std::array<std::string_view, 5> kBrought = {"cursor", "value", "values", "lastErrorObject", "databases"};

bool is_command_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
    });
}

// Where a message's body stands, and how long it is.
struct Body {
    std::size_t at = 0;
    std::uint64_t size = 0;
};

// NeedMore: it stands behind what is here.
Parsed<Body> body_at(std::string_view bytes, std::uint64_t at, std::uint64_t end) {
    if (at + 5 > end) return std::unexpected(Stop::Invalid);
    if (at + 4 > bytes.size()) return std::unexpected(Stop::NeedMore);
    const std::uint64_t size = read_fixed(bytes, at, 4);
    if (size < 5 || size > end - at) return std::unexpected(Stop::Invalid);
    return Body{.at = at, .size = size};
}

Parsed<Body> find_sections(std::string_view bytes, std::uint64_t size) {
    if (size < kHeader + 4 + 6) return std::unexpected(Stop::Invalid);
    if (bytes.size() < kHeader + 4) return std::unexpected(Stop::NeedMore);
    const auto flags = static_cast<std::uint32_t>(read_fixed(bytes, kHeader, 4));
    if (flags & kUnknownFlags) return std::unexpected(Stop::Invalid);
    const std::uint64_t end = size - (flags & kChecksum ? 4 : 0);
    // A document sequence may stand before the body.
    for (std::uint64_t at = kHeader + 4; at < end;) {
        if (at >= bytes.size()) return std::unexpected(Stop::NeedMore);
        const char kind = bytes[at++];
        if (kind == 0) return body_at(bytes, at, end);
        if (kind != 1) return std::unexpected(Stop::Invalid);
        if (at + 4 > bytes.size()) return std::unexpected(Stop::NeedMore);
        const std::uint64_t length = read_fixed(bytes, at, 4);
        if (length < 6 || length > end - at) return std::unexpected(Stop::Invalid);
        at += length;
    }
    return std::unexpected(Stop::Invalid);
}

Parsed<Body> find_body(std::string_view bytes, const Header& header) {
    if (header.opcode == kMessage) return find_sections(bytes, header.size);
    if (header.opcode == kReply) return body_at(bytes, kHeader + 20, header.size);
    // OP_QUERY: flags, the collection's full name, two numbers.
    const std::size_t name = kHeader + 4;
    const std::size_t end = bytes.substr(0, header.size).find('\0', std::min(name, bytes.size()));
    if (end != std::string_view::npos) return body_at(bytes, end + 9, header.size);
    return std::unexpected(bytes.size() > name + 256 || bytes.size() >= header.size ? Stop::Invalid : Stop::NeedMore);
}

}  // namespace

std::optional<Header> read_header(std::string_view bytes) {
    if (bytes.size() < kHeader) return {};
    const Header header{.size = read_fixed(bytes, 0, 4),
                        .id = read_int32(bytes, 4),
                        .answers = read_int32(bytes, 8),
                        .opcode = read_int32(bytes, 12)};
    const bool is_known =
        header.opcode == kMessage || header.opcode == kQuery || header.opcode == kReply || header.opcode == kCompressed;
    if (!is_known || header.size < kHeader + 9 || header.size > kMaxMessage) return {};
    return header;
}

Parsed<Unit> parse_message(std::string_view bytes, std::size_t wanted, bool is_final) {
    if (bytes.size() < kHeader) return std::unexpected(Stop::NeedMore);
    const auto header = read_header(bytes);
    if (!header) return std::unexpected(Stop::Invalid);
    if (header->opcode == kCompressed) return Unit{.size = header->size, .front = kHeader};
    const auto body = find_body(bytes, *header);
    if (!body && body.error() == Stop::Invalid) return std::unexpected(Stop::Invalid);
    if (body && body->at + body->size <= bytes.size())
        return Unit{.size = header->size, .front = body->at + static_cast<std::size_t>(body->size)};
    if (!is_final && bytes.size() < wanted) return std::unexpected(Stop::NeedMore);
    return Unit{.size = header->size, .front = std::min<std::uint64_t>(bytes.size(), header->size), .is_cut = true};
}

std::optional<Message> read_message(std::string_view front) {
    const auto header = read_header(front);
    if (!header) return {};
    Message message{.header = *header};
    if (header->opcode == kCompressed) return message;
    if (header->opcode == kMessage && front.size() >= kHeader + 4)
        message.has_more = (front[kHeader] & kMoreToCome) != 0;
    if (header->opcode == kQuery && front.size() > kHeader + 4) {
        const std::string_view name = front.substr(kHeader + 4);
        message.namespace_name = name.substr(0, name.find('\0'));
    }
    if (const auto body = find_body(front, *header)) message.body = front.substr(body->at, body->size);
    return message;
}

std::optional<Command> read_command(const Message& message) {
    Document document(message.body);
    auto element = document.next();
    // Old drivers put the command into another document.
    std::optional<Document> inner;
    if (element && message.header.opcode == kQuery && (element->name == "$query" || element->name == "query") &&
        element->type == kEmbedded) {
        inner.emplace(element->value);
        element = inner->next();
    }
    Document& elements = inner ? *inner : document;
    if (!element) {
        if (elements.state() == Document::State::Bad || elements.state() == Document::State::End) return {};
        return Command{.is_whole = false};
    }
    if (!is_command_name(element->name)) return {};
    Command command{.name = element->name};
    if (std::ranges::find(kOnCollections, command.name) != kOnCollections.end()) {
        command.collection = element->text();
        const bool is_cut = element->value.size() < 4 || element->value.size() < 4 + read_fixed(element->value, 0, 4);
        if (element->type == kString && is_cut) return Command{.is_whole = false};
    }
    const bool is_next = command.name == "getMore";
    if (message.header.opcode == kQuery) {
        command.database = message.namespace_name.substr(0, message.namespace_name.find('.'));
        return command;
    }
    while ((command.database.empty() || (is_next && command.collection.empty())) && (element = elements.next())) {
        if (element->name == "$db") command.database = element->text();
        if (is_next && element->name == "collection") command.collection = element->text();
    }
    command.is_whole = elements.state() != Document::State::Short;
    return command;
}

namespace {

// The first error's number in an array of them, or in one.
std::optional<std::int64_t> code_of(const Element& errors) {
    Document document(errors.value);
    while (const auto element = document.next()) {
        if (element->name == "code") return element->number();
        if (errors.type == kArray && element->type == kEmbedded) return code_of(*element).value_or(0);
    }
    return {};
}

}  // namespace

bool brings_something(std::string_view body) {
    const auto element = Document(body).next();
    return element && std::ranges::find(kBrought, element->name) != kBrought.end();
}

Reply read_reply(std::string_view body) {
    Reply reply;
    std::optional<std::int64_t> ok, code, write, concern;
    bool has_failed = false;
    const bool has_brought = brings_something(body);
    Document document(body);
    while (const auto element = document.next()) {
        if (element->name == "ok")
            ok = element->number();
        else if (element->name == "code")
            code = element->number();
        else if (element->name == "writeErrors" && element->type == kArray)
            write = code_of(*element);
        else if (element->name == "writeConcernError" && element->type == kEmbedded)
            concern = code_of(*element);
        else if (element->name == "nErrors")
            has_failed = element->number().value_or(0) > 0;
    }
    const bool is_whole = document.state() == Document::State::End;
    reply.is_known = has_brought || (ok.has_value() && (*ok == 0 || is_whole));
    if (ok == 0) {
        reply.is_error = true;
        reply.code = code.value_or(0);
    } else if (write || concern || has_failed) {
        reply.is_known = reply.is_error = true;
        reply.code = write ? *write : concern.value_or(0);
    }
    return reply;
}

Sniff sniff(std::string_view bytes, Side side) {
    if (side == Side::Response) return Sniff::No;
    if (bytes.size() < kHeader) {
        // A length of no more than three bytes, and nobody's answer.
        if (bytes.size() > 3 && bytes[3] > 2) return Sniff::No;
        for (std::size_t i = 8; i < std::min<std::size_t>(12, bytes.size()); ++i)
            if (bytes[i] != 0) return Sniff::No;
        return Sniff::NeedMore;
    }
    const auto header = read_header(bytes);
    if (!header || header->answers != 0 || header->opcode == kReply) return Sniff::No;
    if (header->opcode == kCompressed) {
        if (bytes.size() < kHeader + 9) return Sniff::NeedMore;
        const std::int32_t original = read_int32(bytes, kHeader);
        const bool is_one =
            (original == kMessage || original == kQuery) && read_fixed(bytes, kHeader + 4, 4) <= kMaxMessage;
        return is_one && static_cast<unsigned char>(bytes[kHeader + 8]) <= 3 ? Sniff::Yes : Sniff::No;
    }
    const auto body = find_body(bytes, *header);
    if (!body) return body.error() == Stop::Invalid || bytes.size() > 2048 ? Sniff::No : Sniff::NeedMore;
    const auto message = read_message(bytes);
    const auto command = message ? read_command(*message) : std::nullopt;
    if (!command) return Sniff::No;
    return command->name.empty() ? Sniff::NeedMore : Sniff::Yes;
}

}  // namespace waggle::protocols::mongodb
