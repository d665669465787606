// SPDX-License-Identifier: Apache-2.0
// Kafka's requests and answers as far as they are looked at: heads, Fetch requests, Produce answers, Metadata,
// groups. What carries records is read piece by piece (records.h). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/kafka/wire.h"
#include "protocols/protocol.h"

namespace waggle::protocols::kafka {

inline constexpr std::int16_t kProduce = 0;
inline constexpr std::int16_t kFetch = 1;
inline constexpr std::int16_t kMetadata = 3;
inline constexpr std::int16_t kSaslHandshake = 17;
inline constexpr std::int16_t kApiVersions = 18;
inline constexpr std::uint64_t kMaxFrame = 100 * 1024 * 1024;

struct Head {
    std::uint32_t length = 0;  // of what follows the length
    std::int16_t api = 0;
    std::int16_t version = 0;
    std::int32_t id = 0;
    std::string_view client_id;
    std::size_t size = 0;  // of the head, length included
};

bool is_flexible(std::int16_t api, std::int16_t version);
// Topics are named by ids.
bool has_topic_ids(std::int16_t api, std::int16_t version);
// Its layout is known.
bool is_readable(std::int16_t api, std::int16_t version);

// Head of the request that begins with these bytes.
Reader::State read_head(std::string_view bytes, Head& head);

Sniff sniff(std::string_view bytes, Side side);

// A topic: its name, or the 16 bytes of its id.
struct TopicKey {
    std::string text;
    bool is_id = false;
    friend bool operator==(const TopicKey&, const TopicKey&) = default;
};
TopicKey read_topic(Reader& reader, bool has_ids);

struct FetchPosition {
    TopicKey topic;
    std::int32_t partition = 0;
    std::int64_t offset = -1;
};

struct FetchRequest {
    std::int32_t replica = -1;  // a broker that copies
    std::int32_t session = 0;
    std::int32_t epoch = -1;
    std::vector<FetchPosition> positions;
};

struct ProduceResult {
    bool is_read = false;  // all of it
    std::size_t partitions = 0;
    std::int16_t error = 0;  // the first
    std::int64_t base_offset = -1;
};

// Bodies; short ones give what stands in front of the cut.
Reader::State read_fetch_request(std::string_view body, std::int16_t version, FetchRequest& request);
Reader::State read_produce_response(std::string_view body, std::int16_t version, ProduceResult& result);
std::optional<std::string_view> group_of(std::string_view body, std::int16_t api, std::int16_t version);

// Calls learn(id, name) for each topic.
template <typename Learn>
void read_metadata(std::string_view body, std::int16_t version, Learn learn) {
    if (version < 10 || !is_readable(kMetadata, version)) return;
    Reader reader(body, true);
    reader.tags();
    reader.i32();
    for (std::int64_t brokers = reader.array(); brokers > 0 && reader.is_good(); --brokers) {
        reader.i32();
        reader.string();
        reader.i32();
        reader.string();
        reader.tags();
    }
    reader.string();
    reader.i32();
    for (std::int64_t topics = reader.array(); topics > 0 && reader.is_good(); --topics) {
        reader.i16();
        const std::string_view name = reader.string();
        const std::string_view id = reader.uuid();
        if (reader.is_good() && !name.empty()) learn(id, name);
        reader.i8();
        for (std::int64_t partitions = reader.array(); partitions > 0 && reader.is_good(); --partitions) {
            reader.skip(2 + 4 + 4 + 4);
            for (int i = 0; i < 3; ++i) reader.skip_array(4);
            reader.tags();
        }
        reader.i32();
        reader.tags();
    }
}

// As Kafka calls it, UNKNOWN_TOPIC_OR_PARTITION; of a code that is newer than this its number.
std::string error_name(std::int16_t code);

}  // namespace waggle::protocols::kafka
