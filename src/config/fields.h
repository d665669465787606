// SPDX-License-Identifier: Apache-2.0
// Field: one row of a table of settings: its key, its environment variables, and how its value is
// read from a Node and printed back. Built by field<accessor, Codec>(); tables: options_*.cc,
// selector.cc.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "config/diagnostics.h"
#include "config/yaml_tree.h"

namespace waggle::config {

// Where the value being read came from; what codecs complain to.
class Reader {
  public:
    // is_text: from environment or a flag, where lists are comma-separated and numbers need their
    // unit.
    Reader(std::string_view source, std::string key, bool is_text, Problems& problems)
        : source_(source), key_(std::move(key)), is_text_(is_text), problems_(&problems) {}

    bool is_text() const { return is_text_; }
    Reader at(std::string_view part) const {
        return {source_, key_ + (part.starts_with('[') ? "" : ".") + std::string(part), is_text_, *problems_};
    }
    size_t error_count() const { return problems_->errors.size(); }
    std::string where(int line) const {
        return line == 0 ? std::string(source_) : std::string(source_) + ':' + std::to_string(line);
    }
    void error(const Node& node, std::string message) {
        problems_->errors.push_back({where(node.line), key_, std::move(message)});
    }
    void warn(int line, std::string message) { problems_->warnings.push_back({where(line), key_, std::move(message)}); }

  private:
    std::string_view source_;  // the file's name, "environment NAME" or "flag --name"
    std::string key_;
    bool is_text_;
    Problems* problems_;
};

template <typename Root>
struct Field {
    std::string_view key;          // empty: only from the environment
    std::string_view environment;  // names, best first, separated by blanks; BEYLA_X implies WAGGLE_X
    std::string_view type;
    std::string_view help;
    void (*read)(const Node&, Root&, Reader&) = nullptr;
    std::string (*print)(const Root&) = nullptr;  // YAML flow text
    // Beyla's keys for what Waggle does not have yet: kept as text, and a warning when the value
    // would turn something on.
    std::string_view pending_default = {};
    bool (*turns_on)(std::string_view value) = nullptr;
    bool null_empties = false;  // an explicit null changes the value
    bool is_section = false;    // the value is the section itself: null switches it off

    bool has_no_effect = false;  // read and printed, but nothing heeds it: a value is worth a warning

    bool is_pending() const { return read == nullptr; }
    // warns_about: what asks for something that does not happen; without it, all but the default.
    constexpr Field without_effect(bool (*warns_about)(std::string_view) = nullptr) const {
        Field changed = *this;
        changed.has_no_effect = true;
        changed.turns_on = warns_about;
        return changed;
    }
    constexpr Field section() const {
        Field changed = *this;
        changed.is_section = true;
        return changed;
    }
};

// How a value of type T is read, printed and called in the documentation. kNullEmpties: an explicit
// null empties the value (lists and maps, as in Go) instead of leaving it alone.
template <typename T>
struct Codec;

template <typename Root, auto Get, typename C = void>
constexpr Field<Root> make_field(std::string_view key, std::string_view environment, std::string_view help) {
    using T = std::remove_cvref_t<decltype(Get(std::declval<Root&>()))>;
    using Chosen = std::conditional_t<std::is_void_v<C>, Codec<T>, C>;
    return {.key = key,
            .environment = environment,
            .type = Chosen::kType,
            .help = help,
            .read =
                [](const Node& node, Root& root, Reader& reader) {
                    if (!node.is_null()) return Chosen::read(node, Get(root), reader);
                    if constexpr (requires { Chosen::kNullEmpties; }) Get(root) = {};
                },
            .print = [](const Root& root) -> std::string { return Chosen::print(Get(root)); },
            .null_empties = requires {Chosen::kNullEmpties;
}
};  // namespace waggle::config
}

}  // namespace waggle::config
