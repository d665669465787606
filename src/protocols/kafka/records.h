// SPDX-License-Identifier: Apache-2.0
// RecordsReader: reads what a Produce request or a Fetch answer carries, piece by piece: records are passed
// over by their lengths, so that what stands behind them is seen, too, wherever it was captured. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/kafka/messages.h"
#include "spans/trace_context.h"

namespace waggle::protocols::kafka {

// What is known of the records that were carried.
struct Contents {
    std::size_t topics = 0;      // with records or an error
    std::size_t partitions = 0;  // likewise
    TopicKey topic;              // the first
    std::int32_t partition = 0;
    std::int16_t error = 0;  // the first one
    std::int64_t records = 0;
    std::int64_t offset = -1;  // of the first record, where it is certain
    std::size_t batches = 0;
    std::optional<spans::TraceContext> trace;  // in the first record's headers
    bool is_count_known = true;
    bool is_single = false;      // there is one record and no more
    bool has_one_topic = false;  // no other can follow
    bool has_one_partition = false;
    bool is_whole = false;  // all of it was seen
};

class RecordsReader {
  public:
    enum class Kind : std::uint8_t { ProduceRequest, FetchResponse };
    struct Step {
        enum class Kind : std::uint8_t { NeedMore, Passed, Done, Invalid };
        Kind kind;
        std::uint64_t size = 0;  // that is read or passed over; may go beyond what is here
    };

    // positions: where the partitions of a Fetch begin, null if nobody knows.
    void begin(Kind kind, std::int16_t version, const std::vector<FetchPosition>* positions);
    Step step(std::string_view bytes, bool is_final, Contents& contents);
    // What is wanted next stands in a hole: the bytes behind which reading goes on, nothing if nobody knows.
    std::optional<std::uint64_t> pass_hole(Contents& contents);
    std::int16_t acks() const { return acks_; }

  private:
    enum class At : std::uint8_t { Head, Topic, Partition, Records, PartitionEnd };
    Step read_head(std::string_view bytes, Contents& contents);
    Step read_topic_head(std::string_view bytes, Contents& contents);
    Step read_partition(std::string_view bytes, Contents& contents);
    Step read_batch(std::string_view bytes, bool is_final, Contents& contents);
    Step read_old_message(std::string_view bytes, Contents& contents);
    Step pass(const Reader& reader, At next);
    Step pass_records(std::uint64_t size);
    void note_partition(std::int32_t index, std::int16_t error, Contents& contents);
    void count(std::int64_t base, std::int64_t last, std::int64_t records, Contents& contents);

    Kind kind_ = Kind::ProduceRequest;
    At at_ = At::Head;
    std::int16_t version_ = 0;
    std::int16_t acks_ = -1;
    bool is_flexible_ = false;
    bool has_many_ = false;  // topics or partitions
    bool is_topic_counted_ = false;
    bool has_aborted_ = false;  // records that no consumer gets
    std::int64_t topics_left_ = 0;
    std::int64_t partitions_left_ = 0;
    std::uint64_t records_left_ = 0;
    std::uint64_t records_size_ = 0;
    std::optional<std::int64_t> from_;  // the offset that was asked for
    TopicKey topic_;
    const std::vector<FetchPosition>* positions_ = nullptr;
};

}  // namespace waggle::protocols::kafka
