// SPDX-License-Identifier: Apache-2.0
#include "decorate/filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/glob.h"
#include "decorate/fields.h"

namespace waggle::decorate {

struct Filter::Rule {
    const Field* field = nullptr;
    std::string glob;
    bool must_match = true;

    bool passes(const spans::Span& span) const {
        FieldText storage;
        return glob_match(glob, field_of(span, *field, storage)) == must_match;
    }
};

Result<std::unique_ptr<Filter>> Filter::create(const std::map<std::string, config::AttributeFilter>& rules) {
    std::vector<Rule> compiled;
    for (const auto& [name, rule] : rules) {
        const Field* field = find_field(name);
        if (field == nullptr) return fail(fmt::format("filter.application.{}: no span has this attribute", name));
        if (rule.match.has_value() == rule.not_match.has_value())
            return fail(fmt::format("filter.application.{}: takes either match or not_match, and one of them", name));
        compiled.push_back(
            {.field = field, .glob = rule.match ? *rule.match : *rule.not_match, .must_match = rule.match.has_value()});
    }
    return std::unique_ptr<Filter>(new Filter(std::move(compiled)));
}

Filter::Filter(std::vector<Rule> rules) : rules_(std::move(rules)) {}

Filter::~Filter() = default;

void Filter::apply(spans::SpanBatch& batch) {
    if (rules_.empty()) return;
    batch.retain([&](const spans::Span& span) {
        return std::ranges::all_of(rules_, [&](const Rule& rule) { return rule.passes(span); });
    });
}

}  // namespace waggle::decorate
