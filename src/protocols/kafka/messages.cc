// SPDX-License-Identifier: Apache-2.0
#include "protocols/kafka/messages.h"

#include <algorithm>
#include <array>

namespace waggle::protocols::kafka {
namespace {

constexpr std::int8_t kNever = 127;
constexpr std::int16_t kMaxVersion = 20;  // of any request; newer than Kafka 4.1's
constexpr std::size_t kMaxClientId = 1024;
constexpr std::size_t kMaxBody = 1 << 20;  // of what carries no records
constexpr std::size_t kMaxWhole = 4096;    // of a message that is recognised by its head and its end
constexpr std::size_t kMaxPositions = 4096;

// The first version with compact lengths and tagged fields, by API key.
constexpr std::array<std::int8_t, 93> kFlexibleFrom = {
    9, 12, 6, 9, 4, 2, 6, 3,      8, 6,  // Produce … OffsetFetch
    3, 6,  4, 4, 4, 5, 3, kNever, 3, 5,  // FindCoordinator … CreateTopics
    4, 2,  2, 4, 3, 3, 3, 1,      3, 2,  // DeleteTopics … DescribeAcls
    2, 2,  4, 2, 2, 2, 2, 2,      2, 2,  // CreateAcls … RenewDelegationToken
    2, 2,  2, 2, 1, 0, 0, kNever, 1, 1,  // ExpireDelegationToken … AlterClientQuotas
    0, 0,  0, 1, 1, 0, 0, 0,      0, 0,  // DescribeUserScramCredentials …; 0 from here on
};

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_topic_name(std::string_view text) {
    return !text.empty() && text.size() <= 249 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
    });
}

// Bodies whose beginning tells them from anything else.
void check_topics(Reader& reader, bool has_ids, bool may_be_none) {
    const std::int64_t topics = reader.array();
    if (topics > 100'000 || (topics < 1 && !may_be_none)) reader.fail();
    if (topics < 1 || !reader.is_good()) return;
    if (has_ids) {
        reader.uuid();
    } else if (const std::string_view name = reader.string(); reader.is_good() && !is_topic_name(name)) {
        reader.fail();
    }
}

void check_produce(Reader& reader, std::int16_t version) {
    if (version >= 3) reader.string();
    const std::int16_t acks = reader.i16();
    if (acks < -1 || acks > 1 || reader.i32() < 0) reader.fail();
    check_topics(reader, has_topic_ids(kProduce, version), false);
}

void check_fetch(Reader& reader, std::int16_t version) {
    if (version < 15 && reader.i32() < -1) reader.fail();
    if (reader.i32() < 0 || reader.i32() < 0) reader.fail();
    if (version >= 3 && reader.i32() < 0) reader.fail();
    if (version >= 4 && (reader.i8() & ~1)) reader.fail();
    if (version >= 7) reader.skip(8);
    check_topics(reader, has_topic_ids(kFetch, version), version >= 7);
}

// `size`: of the whole body.
void check_metadata(Reader& reader, std::int16_t version, std::size_t size) {
    constexpr std::size_t kMostOfNone = 64;
    const std::int64_t topics = reader.array();
    if (topics > 100'000 || (topics < 1 && size > kMostOfNone)) reader.fail();
    if (topics < 1 || !reader.is_good()) return;
    if (version >= 10) reader.uuid();
    if (const std::string_view name = reader.string(); reader.is_good() && version < 10 && !is_topic_name(name))
        reader.fail();
}

void check_api_versions(Reader& reader, std::int16_t version) {
    if (version < 3) return;
    if (!is_printable(reader.string()) || !is_printable(reader.string())) reader.fail();
    reader.tags();
}

// Its shortest and longest body, roughly: what has none has none.
bool has_right_size(const Head& head) {
    const std::size_t body = head.length + 4 - head.size;
    if (head.api == kApiVersions) return head.version < 3 ? body == 0 : body >= 3 && body < 600;
    return body > 0 && (head.api == kProduce || body <= kMaxBody);
}

}  // namespace

bool is_flexible(std::int16_t api, std::int16_t version) {
    return version >= kFlexibleFrom[static_cast<std::size_t>(api)];
}

bool has_topic_ids(std::int16_t, std::int16_t version) { return version >= 13; }

bool is_readable(std::int16_t api, std::int16_t version) { return version <= (api == kFetch ? 18 : 13); }

Reader::State read_head(std::string_view bytes, Head& head) {
    using State = Reader::State;
    Reader reader(bytes, false);
    const std::int32_t length = reader.i32();
    if (!reader.is_good())
        return bytes.empty() || static_cast<unsigned char>(bytes[0]) <= kMaxFrame >> 24 ? State::Short : State::Bad;
    if (length < 10 || length > static_cast<std::int64_t>(kMaxFrame)) return State::Bad;
    head.length = static_cast<std::uint32_t>(length);
    head.api = reader.i16();
    if (head.api < 0 || head.api >= static_cast<std::int16_t>(kFlexibleFrom.size())) return State::Bad;
    head.version = reader.i16();
    if (head.version < 0 || head.version > kMaxVersion) return State::Bad;
    head.id = reader.i32();
    if (head.id < 0) return State::Bad;
    const std::int16_t client = reader.i16();
    if (!reader.is_good()) return State::Short;
    if (client < -1 || client > static_cast<std::int16_t>(kMaxClientId) || client + 10 > length) return State::Bad;
    head.client_id = client > 0 ? reader.take(static_cast<std::size_t>(client)) : std::string_view{};
    if (!is_printable(head.client_id)) return State::Bad;
    if (is_flexible(head.api, head.version)) {
        // Nobody has tagged a head yet.
        if (reader.i8() != 0 && reader.is_good()) return State::Bad;
    }
    head.size = reader.position();
    if (!reader.is_good()) return reader.state();
    return head.size > head.length + 4 ? State::Bad : State::Good;
}

Sniff sniff(std::string_view bytes, Side side) {
    // An answer is a number and whatever: only its request tells what it is.
    if (side == Side::Response) return Sniff::No;
    Head head;
    const Reader::State state = read_head(bytes, head);
    if (state != Reader::State::Good) return state == Reader::State::Bad ? Sniff::No : Sniff::NeedMore;
    // Where a topic is any 16 bytes, little tells a body from others.
    if (!has_right_size(head) || ((head.api == kProduce || head.api == kFetch) && !is_readable(head.api, head.version)))
        return Sniff::No;
    const std::size_t end = std::min<std::size_t>(bytes.size(), head.length + 4);
    Reader reader(bytes.substr(head.size, end - head.size), is_flexible(head.api, head.version));
    switch (head.api) {
        case kProduce:
            check_produce(reader, head.version);
            break;
        case kFetch:
            check_fetch(reader, head.version);
            break;
        case kMetadata:
            check_metadata(reader, head.version, head.length + 4 - head.size);
            break;
        case kApiVersions:
            check_api_versions(reader, head.version);
            break;
        // Of the others the head must be enough, and the whole message be there.
        default:
            if (head.client_id.empty() || head.length > kMaxWhole) return Sniff::No;
            if (bytes.size() < head.length + 4) return Sniff::NeedMore;
            return bytes.size() == head.length + 4 ? Sniff::Yes : sniff(bytes.substr(head.length + 4), side);
    }
    if (reader.is_good()) return Sniff::Yes;
    return reader.state() == Reader::State::Bad || end == head.length + 4 ? Sniff::No : Sniff::NeedMore;
}

TopicKey read_topic(Reader& reader, bool has_ids) {
    const std::string_view text = has_ids ? reader.uuid() : reader.string();
    if (reader.is_good() && !has_ids && !is_topic_name(text)) reader.fail();
    return {std::string(text), has_ids};
}

Reader::State read_fetch_request(std::string_view body, std::int16_t version, FetchRequest& request) {
    const bool is_flexible_version = is_flexible(kFetch, version);
    Reader reader(body, is_flexible_version);
    if (version < 15) request.replica = reader.i32();
    reader.skip(8);
    if (version >= 3) reader.skip(4);
    if (version >= 4) reader.skip(1);
    if (version >= 7) {
        request.session = reader.i32();
        request.epoch = reader.i32();
    }
    for (std::int64_t topics = reader.array(); topics > 0 && reader.is_good(); --topics) {
        const TopicKey topic = read_topic(reader, has_topic_ids(kFetch, version));
        for (std::int64_t partitions = reader.array(); partitions > 0 && reader.is_good(); --partitions) {
            const std::int32_t partition = reader.i32();
            if (version >= 9) reader.skip(4);
            const std::int64_t offset = reader.i64();
            if (version >= 12) reader.skip(4);
            if (version >= 5) reader.skip(8);
            reader.skip(4);
            reader.tags();
            if (reader.is_good() && request.positions.size() < kMaxPositions)
                request.positions.push_back({topic, partition, offset});
        }
        reader.tags();
    }
    if (version >= 7) {
        for (std::int64_t topics = reader.array(); topics > 0 && reader.is_good(); --topics) {
            read_topic(reader, has_topic_ids(kFetch, version));
            reader.skip_array(4);
            reader.tags();
        }
    }
    if (version >= 11) reader.string();
    if (version < 15) return reader.state();
    // Since then a broker that copies says so in a tagged field.
    std::uint64_t tags = reader.unsigned_varint();
    for (; tags > 0 && reader.is_good(); --tags) {
        const std::uint64_t tag = reader.unsigned_varint();
        const std::string_view value = reader.take(reader.unsigned_varint());
        if (tag == 1 && value.size() >= 4) request.replica = Reader(value, true).i32();
    }
    return reader.state();
}

Reader::State read_produce_response(std::string_view body, std::int16_t version, ProduceResult& result) {
    Reader reader(body, is_flexible(kProduce, version));
    reader.tags();
    for (std::int64_t topics = reader.array(); topics > 0 && reader.is_good(); --topics) {
        read_topic(reader, has_topic_ids(kProduce, version));
        for (std::int64_t partitions = reader.array(); partitions > 0 && reader.is_good(); --partitions) {
            reader.i32();
            const std::int16_t error = reader.i16();
            const std::int64_t base = reader.i64();
            if (!reader.is_good()) break;
            if (result.partitions++ == 0) result.base_offset = base;
            if (result.error == 0) result.error = error;
            if (version >= 2) reader.skip(8);
            if (version >= 5) reader.skip(8);
            if (version >= 8) {
                for (std::int64_t errors = reader.array(); errors > 0 && reader.is_good(); --errors) {
                    reader.i32();
                    reader.string();
                    reader.tags();
                }
                reader.string();
            }
            reader.tags();
        }
        reader.tags();
    }
    result.is_read = reader.is_good();
    return reader.state();
}

std::optional<std::string_view> group_of(std::string_view body, std::int16_t api, std::int16_t version) {
    constexpr std::array<std::int16_t, 6> kOfMembers = {8, 11, 12, 13, 14, 68};  // OffsetCommit, JoinGroup … SyncGroup
    if (std::ranges::find(kOfMembers, api) == kOfMembers.end()) return {};
    Reader reader(body, is_flexible(api, version));
    const std::string_view group = reader.string();
    if (!reader.is_good() || group.empty()) return {};
    return group;
}

}  // namespace waggle::protocols::kafka
