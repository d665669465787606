// SPDX-License-Identifier: Apache-2.0
#include "agent/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace waggle::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

config::Loaded loaded(std::string_view yaml) {
    auto result = config::load(yaml, "waggle.yaml", {});
    EXPECT_TRUE(result) << result.error().message;
    return std::move(*result);
}

TEST(Reload, TellsWhatIsReloadedFromWhatNeedsARestart) {
    const config::Loaded start = loaded("open_port: 80\n");
    const config::Loaded fresh = loaded(
        "open_port: 81\nroutes: {unmatched: path}\notel_traces_export: {certificate: "
        "/ca.pem}\nebpf: {tick: 1ms}\n");
    const ReloadReport report = compare(start, start, fresh);
    EXPECT_THAT(report.reloaded, ElementsAre("open_port", "otel_traces_export.certificate", "routes.unmatched"));
    EXPECT_THAT(report.needs_restart, ElementsAre("ebpf.tick"));
}

TEST(Reload, WhatWasChangedBackNeedsNoRestart) {
    const config::Loaded start = loaded("ebpf: {tick: 5ms}\n");
    const ReloadReport report = compare(start, loaded("ebpf: {tick: 1ms}\n"), start);
    EXPECT_THAT(report.needs_restart, IsEmpty());
    EXPECT_THAT(report.reloaded, IsEmpty());
}

TEST(Reload, SeesMaskedValuesChange) {
    const auto with_key = [](std::string_view key) {
        return loaded("otel_traces_export: {endpoint: 'http://x:4318', headers: {k: " + std::string(key) + "}}\n");
    };
    EXPECT_THAT(compare(with_key("a"), with_key("a"), with_key("b")).needs_restart,
                ElementsAre("otel_traces_export.headers"));
}

TEST(Reload, RoutesSwitchedOffAsAWhole) {
    const config::Loaded start = loaded("");
    EXPECT_THAT(compare(start, start, loaded("routes: null\n")).needs_restart, IsEmpty());
    EXPECT_THAT(compare(start, start, loaded("routes: null\n")).reloaded, testing::Contains("routes"));
}

}  // namespace
}  // namespace waggle::agent
