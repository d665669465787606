// SPDX-License-Identifier: Apache-2.0
// SharedNames: what one connection of a protocol learns and others use, as Kafka's names of topic ids. Keys
// begin with the protocol's name. What was told two ways is nobody's. Bounded: what is not used goes first.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace waggle::protocols {

class SharedNames {
  public:
    static constexpr std::size_t kGeneration = 2048;

    void learn(const std::string& key, std::string_view name) {
        std::string* known = entry(key);
        if (!known) {
            insert(key, std::string(name));
        } else if (*known != name) {
            known->clear();
        }
    }

    // Empty when it is unknown or ambiguous; until the next call.
    std::string_view find(const std::string& key) {
        const std::string* known = entry(key);
        return known ? std::string_view(*known) : std::string_view{};
    }

  private:
    std::string* entry(const std::string& key) {
        if (const auto found = young_.find(key); found != young_.end()) return &found->second;
        const auto found = old_.find(key);
        if (found == old_.end()) return nullptr;
        std::string name = std::move(found->second);
        old_.erase(found);
        return &insert(key, std::move(name));
    }

    std::string& insert(const std::string& key, std::string name) {
        if (young_.size() >= kGeneration) {
            old_ = std::move(young_);
            young_.clear();
        }
        return young_[key] = std::move(name);
    }

    std::unordered_map<std::string, std::string> young_;
    std::unordered_map<std::string, std::string> old_;
};

}  // namespace waggle::protocols
