// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "elf/test_elf.h"

namespace waggle::agent {
namespace {

class Cache : public ::testing::Test {
  protected:
    Cache() : file_(program("code code code")), image_(*elf::Image::open(file_.path())) {
        std::string folder = "/tmp/waggle-cache-XXXXXX";
        folder_ = ::mkdtemp(folder.data());
        key_ = TlsCache::key_of(image_, 7);
        found_.library = "openssl";
        const std::uint64_t text = image_.section(".text")->offset;
        found_.places = {{.offset = text, .site = WG_TLS_READ, .depth = 0},
                         {.offset = text + 3, .site = WG_TLS_LEAVE, .depth = 40}};
    }
    ~Cache() override { std::filesystem::remove_all(folder_); }

    static std::string program(const std::string& code) {
        std::string note(16, '\0');
        return elf::make_elf({{".note.gnu.build-id", note + "\x12\x34\xab", SHT_NOTE}, {".text", code}});
    }
    std::string path() const { return std::filesystem::directory_iterator(folder_)->path(); }
    std::string content() const {
        std::stringstream text;
        text << std::ifstream(path()).rdbuf();
        return text.str();
    }
    void overwrite(const std::string& text) const { std::ofstream(path(), std::ios::trunc) << text; }

    elf::TemporaryFile file_;
    elf::Image image_;
    std::string folder_;
    TlsCache::Key key_;
    TlsFile found_;
};

TEST_F(Cache, TellsWhatWasKept) {
    TlsCache(folder_).keep(key_, image_, found_);
    const auto known = TlsCache(folder_).find(key_, image_);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->library, "openssl");
    EXPECT_EQ(known->failure, "");
    EXPECT_EQ(known->places, found_.places);
    struct ::stat status{};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(Cache, TellsThatThereIsNothing) {
    TlsCache(folder_).keep(key_, image_, {});
    const auto known = TlsCache(folder_).find(key_, image_);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->library, "");
    EXPECT_TRUE(known->places.empty());
}

TEST_F(Cache, AnotherFileIsNotKnown) {
    TlsCache cache(folder_);
    cache.keep(key_, image_, found_);
    for (const TlsCache::Key& key :
         {TlsCache::Key{key_.build_id, key_.size + 1, 7}, TlsCache::Key{key_.build_id, key_.size, 8},
          TlsCache::Key{"1234ac", key_.size, 7}, TlsCache::Key{"", key_.size, 7}})
        EXPECT_FALSE(cache.find(key, image_));
    // The code is another one's, whatever the key says.
    const elf::TemporaryFile other(program("CODE CODE CODE"));
    EXPECT_FALSE(cache.find(key_, *elf::Image::open(other.path())));
}

TEST_F(Cache, WhatIsDamagedIsIgnored) {
    const TlsCache cache(folder_);
    TlsCache(folder_).keep(key_, image_, found_);
    const std::string whole = content();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        overwrite(whole.substr(0, size));
        EXPECT_FALSE(cache.find(key_, image_)) << size;
    }
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ 1);
        overwrite(damaged);
        EXPECT_FALSE(cache.find(key_, image_)) << i;
    }
    overwrite(whole);
    EXPECT_TRUE(cache.find(key_, image_));
}

TEST_F(Cache, WhatOthersMayHaveWrittenIsIgnored) {
    TlsCache(folder_).keep(key_, image_, found_);
    ASSERT_EQ(::chmod(path().c_str(), 0644), 0);
    EXPECT_FALSE(TlsCache(folder_).find(key_, image_));
    ASSERT_EQ(::chmod(path().c_str(), 0600), 0);
    EXPECT_TRUE(TlsCache(folder_).find(key_, image_));
    ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
    EXPECT_FALSE(TlsCache(folder_).find(key_, image_));
    const std::string link = folder_ + "-link";
    ASSERT_EQ(::chmod(folder_.c_str(), 0700), 0);
    std::filesystem::create_symlink(folder_, link);
    EXPECT_FALSE(TlsCache(link).find(key_, image_));
    std::filesystem::remove(link);
}

TEST_F(Cache, WithoutAFolderNothingIsKept) {
    TlsCache cache("");
    cache.keep(key_, image_, found_);
    EXPECT_FALSE(cache.find(key_, image_));
    TlsCache missing(folder_ + "/missing");
    missing.keep(key_, image_, found_);
    EXPECT_FALSE(missing.find(key_, image_));
}

TEST_F(Cache, IsBounded) {
    TlsCache cache(folder_);
    for (std::size_t i = 0; i < TlsCache::kMaxFiles + 10; ++i) cache.keep({key_.build_id, key_.size, i}, image_, {});
    const auto all = std::filesystem::directory_iterator(folder_);
    EXPECT_LE(std::distance(begin(all), end(all)), static_cast<std::ptrdiff_t>(TlsCache::kMaxFiles));
    EXPECT_TRUE(cache.find({key_.build_id, key_.size, TlsCache::kMaxFiles + 9}, image_));
}

}  // namespace
}  // namespace waggle::agent
