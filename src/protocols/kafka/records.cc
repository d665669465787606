// SPDX-License-Identifier: Apache-2.0
#include "protocols/kafka/records.h"

#include <algorithm>

namespace waggle::protocols::kafka {
namespace {

using Step = RecordsReader::Step;

constexpr std::size_t kBatchHead = 61;
constexpr std::size_t kMessageHead = 18;     // of formats 0 and 1
constexpr std::int64_t kMaxRecord = 12'288;  // that is looked into
constexpr std::int64_t kMaxHeaders = 256;
constexpr std::int64_t kMaxCount = 1'000'000;

Step need_more_or_invalid(const Reader& reader) {
    return {reader.state() == Reader::State::Short ? Step::Kind::NeedMore : Step::Kind::Invalid};
}

struct Batch {
    std::int64_t base = 0;
    std::uint64_t size = 0;
    std::int16_t attributes = 0;
    std::int32_t last = 0;
    std::int32_t records = 0;
    bool is_compressed() const { return attributes & 7; }
    bool is_control() const { return attributes & 0x20; }
};

Batch read_batch_head(std::string_view bytes) {
    Reader reader(bytes, false);
    Batch batch;
    batch.base = reader.i64();
    batch.size = 12 + static_cast<std::uint64_t>(std::max(0, reader.i32()));
    reader.skip(4 + 1 + 4);
    batch.attributes = reader.i16();
    batch.last = reader.i32();
    reader.skip(8 + 8 + 8 + 2 + 4);
    batch.records = reader.i32();
    return batch;
}

std::string_view take_sized(Reader& reader) {
    const std::int64_t length = reader.varint();
    return length > 0 ? reader.take(static_cast<std::uint64_t>(length)) : std::string_view{};
}

std::optional<spans::TraceContext> trace_of(Reader& reader) {
    reader.i8();
    reader.varint();
    reader.varint();
    take_sized(reader);
    take_sized(reader);
    const std::int64_t headers = reader.varint();
    for (std::int64_t i = 0; i < std::min(headers, kMaxHeaders) && reader.is_good(); ++i) {
        const std::string_view name = take_sized(reader);
        const std::string_view value = take_sized(reader);
        if (reader.is_good() && name == "traceparent") return spans::parse_traceparent(value);
    }
    return {};
}

}  // namespace

void RecordsReader::begin(Kind kind, std::int16_t version, const std::vector<FetchPosition>* positions) {
    *this = {};
    kind_ = kind;
    version_ = version;
    positions_ = positions;
    is_flexible_ = kind == Kind::ProduceRequest ? is_flexible(kProduce, version) : is_flexible(kFetch, version);
}

Step RecordsReader::pass(const Reader& reader, At next) {
    if (!reader.is_good()) return need_more_or_invalid(reader);
    at_ = next;
    return {Step::Kind::Passed, reader.position()};
}

Step RecordsReader::step(std::string_view bytes, bool is_final, Contents& contents) {
    switch (at_) {
        case At::Head:
            return read_head(bytes, contents);
        case At::Topic:
            return read_topic_head(bytes, contents);
        case At::Partition:
            return read_partition(bytes, contents);
        case At::Records:
            return read_batch(bytes, is_final, contents);
        case At::PartitionEnd:
            break;
    }
    Reader reader(bytes, is_flexible_);
    reader.tags();
    return pass(reader, At::Partition);
}

std::optional<std::uint64_t> RecordsReader::pass_hole(Contents& contents) {
    contents.is_count_known = false;
    if (at_ != At::Records) return {};
    const std::uint64_t size = records_left_;
    records_left_ = 0;
    return size;
}

Step RecordsReader::read_head(std::string_view bytes, Contents& contents) {
    Reader reader(bytes, is_flexible_);
    if (kind_ == Kind::ProduceRequest) {
        if (version_ >= 3) reader.string();
        acks_ = reader.i16();
        reader.i32();
    } else {
        reader.tags();  // of the answer's head
        if (version_ >= 1) reader.i32();
        if (version_ >= 7) {
            const std::int16_t error = reader.i16();
            reader.i32();
            if (reader.is_good()) contents.error = error;
        }
    }
    topics_left_ = reader.array();
    has_many_ = topics_left_ != 1;
    if (reader.is_good()) contents.has_one_topic = !has_many_;
    return pass(reader, At::Topic);
}

Step RecordsReader::read_topic_head(std::string_view bytes, Contents& contents) {
    if (topics_left_ <= 0) {
        contents.is_whole = true;
        return {Step::Kind::Done};
    }
    Reader reader(bytes, is_flexible_);
    const std::int16_t api = kind_ == Kind::ProduceRequest ? kProduce : kFetch;
    TopicKey topic = read_topic(reader, has_topic_ids(api, version_));
    const std::int64_t partitions = reader.array();
    if (reader.is_good()) {
        --topics_left_;
        topic_ = std::move(topic);
        partitions_left_ = partitions;
        has_many_ |= partitions != 1;
        contents.has_one_partition = !has_many_;
        is_topic_counted_ = false;
    }
    return pass(reader, At::Partition);
}

Step RecordsReader::read_partition(std::string_view bytes, Contents& contents) {
    Reader reader(bytes, is_flexible_);
    if (partitions_left_ <= 0) {
        reader.tags();
        return pass(reader, At::Topic);
    }
    const std::int32_t index = reader.i32();
    std::int16_t error = 0;
    std::int64_t aborted = 0;
    if (kind_ == Kind::FetchResponse) {
        error = reader.i16();
        reader.i64();
        if (version_ >= 4) reader.i64();
        if (version_ >= 5) reader.i64();
        if (version_ >= 4) aborted = reader.array();
        for (std::int64_t i = 0; i < aborted && reader.is_good(); ++i) {
            reader.skip(16);
            reader.tags();
        }
        if (version_ >= 11) reader.i32();
    }
    const std::int64_t size = reader.bytes_length();
    const Step step = pass(reader, At::Records);
    if (step.kind != Step::Kind::Passed) return step;
    --partitions_left_;
    records_left_ = records_size_ = static_cast<std::uint64_t>(std::max<std::int64_t>(0, size));
    has_aborted_ = aborted > 0;
    if (records_left_ > 0 || error != 0) note_partition(index, error, contents);
    return step;
}

void RecordsReader::note_partition(std::int32_t index, std::int16_t error, Contents& contents) {
    if (contents.partitions++ == 0) {
        contents.topic = topic_;
        contents.partition = index;
    }
    if (!is_topic_counted_) ++contents.topics;
    is_topic_counted_ = true;
    if (contents.error == 0) contents.error = error;
    from_.reset();
    if (kind_ == Kind::ProduceRequest) from_ = 0;
    if (!positions_) return;
    for (const FetchPosition& position : *positions_)
        if (position.partition == index && position.topic == topic_) from_ = position.offset;
}

Step RecordsReader::pass_records(std::uint64_t size) {
    size = std::min(size, records_left_);
    records_left_ -= size;
    return {Step::Kind::Passed, size};
}

// Records from base to last; a consumer drops those before what it asked for.
void RecordsReader::count(std::int64_t base, std::int64_t last, std::int64_t records, Contents& contents) {
    const bool is_dense = last - base + 1 == records;
    const std::int64_t before = from_ ? std::max<std::int64_t>(0, *from_ - base) : -1;
    if (records < 0 || records > kMaxCount || has_aborted_ || before < 0 || (before > 0 && !is_dense))
        contents.is_count_known = false;
    else
        contents.records += std::max<std::int64_t>(0, records - before);
    if (contents.batches++ == 0 && is_dense && before >= 0 && before < records) contents.offset = base + before;
}

Step RecordsReader::read_batch(std::string_view bytes, bool is_final, Contents& contents) {
    if (records_left_ == 0) {
        at_ = At::PartitionEnd;
        return {Step::Kind::Passed};
    }
    // An answer may end with a part of a batch, which nobody uses.
    if (records_left_ < kMessageHead) return pass_records(records_left_);
    if (bytes.size() < kMessageHead) return {Step::Kind::NeedMore};
    if (bytes[16] < 2) return read_old_message(bytes, contents);
    if (records_left_ < kBatchHead) return pass_records(records_left_);
    if (bytes.size() < kBatchHead) return {Step::Kind::NeedMore};
    const Batch batch = read_batch_head(bytes);
    if (bytes[16] != 2 || batch.size < kBatchHead) {
        contents.is_count_known = false;
        return pass_records(records_left_);
    }
    if (batch.size > records_left_) return pass_records(records_left_);
    if (batch.is_control()) return pass_records(batch.size);
    if (contents.batches == 0 && !batch.is_compressed() && batch.records > 0) {
        const std::string_view records =
            bytes.substr(kBatchHead, std::min<std::uint64_t>(bytes.size(), batch.size) - kBatchHead);
        Reader length(records, false);
        const std::int64_t size = length.varint();
        const std::int64_t wanted = size + static_cast<std::int64_t>(length.position());
        const bool is_short =
            length.state() == Reader::State::Short ||
            (length.is_good() && size <= kMaxRecord && wanted > static_cast<std::int64_t>(records.size()));
        if (is_short && !is_final && records.size() + kBatchHead < batch.size) return {Step::Kind::NeedMore};
        if (length.is_good() && size > 0 && !is_short && size <= kMaxRecord) {
            Reader record(records.substr(length.position(), static_cast<std::size_t>(size)), false);
            contents.trace = trace_of(record);
        }
    }
    contents.is_single = !has_many_ && batch.records == 1 && batch.size == records_size_;
    count(batch.base, batch.base + batch.last, batch.records, contents);
    return pass_records(batch.size);
}

// Formats 0 and 1: message by message; a compressed one has others in it.
Step RecordsReader::read_old_message(std::string_view bytes, Contents& contents) {
    Reader reader(bytes, false);
    const std::int64_t offset = reader.i64();
    const std::uint64_t size = 12 + static_cast<std::uint64_t>(std::max(0, reader.i32()));
    if (size < kMessageHead || size > records_left_) return pass_records(records_left_);
    if (bytes[17] & 7) {
        contents.is_count_known = false;
        ++contents.batches;
    } else if (kind_ == Kind::ProduceRequest) {
        count(0, 0, 1, contents);
    } else {
        count(offset, offset, 1, contents);
    }
    return pass_records(size);
}

}  // namespace waggle::protocols::kafka
