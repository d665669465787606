// SPDX-License-Identifier: Apache-2.0
#include "agent/record.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "agent/record_file.h"
#include "agent/record_format.h"

namespace waggle::agent {
namespace {

// A file that goes with the test.
class RecordTest : public testing::Test {
  protected:
    RecordTest() {
        char folder[] = "/tmp/waggle-record-XXXXXX";
        folder_ = ::mkdtemp(folder);
        path_ = folder_ + "/file.wgl";
    }
    ~RecordTest() override {
        ::unlink(path_.c_str());
        ::rmdir(folder_.c_str());
    }
    std::unique_ptr<RecordWriter> open(bool is_masked = true) {
        auto writer = RecordWriter::create(path_, is_masked);
        EXPECT_TRUE(writer) << writer.error().message;
        return std::move(*writer);
    }
    void put(std::string_view text) { std::ofstream(path_, std::ios::binary) << text; }
    // What reading the whole file ends with.
    std::string end_of_reading() {
        auto file = RecordFile::open(path_);
        if (!file) return file.error().message;
        for (;;) {
            const auto record = file->next();
            if (!record) return record.error().message;
            if (!*record) return "end";
        }
    }
    std::vector<std::string> bodies(wg_event_type type) {
        std::vector<std::string> found;
        auto file = RecordFile::open(path_);
        for (auto record = file->next(); record && *record; record = file->next())
            if ((*record)->head.type == type) found.emplace_back((*record)->body());
        return found;
    }

    std::string folder_;
    std::string path_;
};

std::shared_ptr<const discover::TargetTable> table_of(std::string service, std::string owner = "ann") {
    auto resource = std::make_shared<spans::Resource>();
    resource->service_name = std::move(service);
    resource->attributes = {{"host.name", "h"}, {"process.owner", std::move(owner)}};
    auto target = std::make_shared<discover::Target>();
    target->pid = 7;
    target->start_ns = 99;
    target->language = "go";
    target->resource = std::move(resource);
    return std::make_shared<discover::TargetTable>(std::vector<std::shared_ptr<const discover::Target>>{target});
}

TEST_F(RecordTest, RingsWriteAtOnceAndStayInOrder) {
    constexpr std::uint32_t kRings = 4;
    constexpr std::uint64_t kTicks = 500;
    auto writer = open();
    std::vector<std::thread> threads;
    for (std::uint32_t ring = 0; ring < kRings; ++ring)
        threads.emplace_back([&writer, ring] {
            for (std::uint64_t i = 1; i <= kTicks; ++i) writer->tick(ring, i);
        });
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(writer->finish());

    auto file = RecordFile::open(path_);
    ASSERT_TRUE(file);
    std::map<std::uint32_t, std::uint64_t> last;
    std::uint32_t ring = 0;
    for (auto record = file->next(); record && *record; record = file->next()) {
        if ((*record)->head.type == kRecordRing) {
            RingRecord change;
            ASSERT_TRUE((*record)->read(change));
            ring = change.ring;
        } else {
            EXPECT_EQ((*record)->head.time_ns, ++last[ring]);
        }
    }
    ASSERT_EQ(last.size(), kRings);
    for (const auto& [number, ticks] : last) EXPECT_EQ(ticks, kTicks) << number;
}

TEST_F(RecordTest, AProcessIsWrittenOnceAndAgainWhenItChanges) {
    auto writer = open();
    const auto first = table_of("shop");
    writer->processes(first);
    writer->processes(first);
    writer->processes(table_of("cart"));
    ASSERT_TRUE(writer->finish());
    const auto facts = bodies(WG_EVENT_PROCESS);
    ASSERT_EQ(facts.size(), 2u);
    const auto target = read_process_fact(facts[1]);
    ASSERT_TRUE(target);
    EXPECT_EQ(target->pid, 7u);
    EXPECT_EQ(target->start_ns, 99u);
    EXPECT_EQ(target->language, "go");
    EXPECT_EQ(target->resource->service_name, "cart");
}

TEST_F(RecordTest, MaskedFactsHoldNamesOnly) {
    const auto table = table_of("shop", "ann");
    EXPECT_EQ(process_fact(**table->begin(), true).find("ann"), std::string::npos);
    EXPECT_NE(process_fact(**table->begin(), false).find("ann"), std::string::npos);
}

TEST_F(RecordTest, SettingsComeBack) {
    RecordSettings settings{.wall_offset_ns = -5};
    settings.tracker.seed = UINT64_MAX - 1;
    settings.tracker.options.sensitive_query_params = {"pin"};
    settings.tracker.options.wants_traces = false;
    const auto back = read_settings_fact(settings_fact(settings));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->tracker.seed, UINT64_MAX - 1);
    EXPECT_EQ(back->tracker.options.sensitive_query_params, std::vector<std::string>{"pin"});
    EXPECT_FALSE(back->tracker.options.wants_traces);
    EXPECT_EQ(back->wall_offset_ns, -5);
    EXPECT_FALSE(read_settings_fact("[1, {"));
    EXPECT_TRUE(read_process_fact(R"({"pid": "x", "attributes": 3, "service": 4})"));
}

TEST_F(RecordTest, SaysWhereAFileIsDamaged) {
    put("");
    EXPECT_NE(end_of_reading().find("not a record file"), std::string::npos);
    put("WAGGLE1\n");
    EXPECT_EQ(end_of_reading(), "end");
    put("WAGGLE1\nabc");
    EXPECT_NE(end_of_reading().find("ends inside the record at byte 8"), std::string::npos);
    auto writer = open();
    writer->tick(0, 1);
    ASSERT_TRUE(writer->finish());
    EXPECT_EQ(end_of_reading(), "end");
    ASSERT_EQ(::truncate(path_.c_str(), 20), 0);
    EXPECT_NE(end_of_reading().find("byte 8"), std::string::npos);
    put(std::string("WAGGLE1\n") + std::string(16, '\xff'));
    EXPECT_NE(end_of_reading().find("damaged at byte 8"), std::string::npos);
}

TEST_F(RecordTest, OnlyItsOwnerMayReadIt) {
    put("older");
    ::chmod(path_.c_str(), 0644);
    open().reset();
    struct stat status{};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace waggle::agent
