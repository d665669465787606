// SPDX-License-Identifier: Apache-2.0
// What is known about a service as labels: of target_info (Prometheus) and traces_target_info.
#pragma once

#include <string>
#include <vector>

#include "metrics/instruments.h"
#include "metrics/snapshot.h"

namespace waggle::metrics {

// Every resource attribute, telemetry.sdk.* included, as OTLP sends it.
std::vector<spans::Attribute> resource_attributes(const spans::Resource& resource, Profile profile);

// Labels of target_info in the profile, without job and instance. extra names resource attributes
// that the beyla profile would leave out. Views into the resource, the arguments and static
// storage.
std::vector<spans::Attribute> target_attributes(const spans::Resource& resource, Profile profile,
                                                const std::vector<std::string>& extra = {});

// traces_target_info 1 for every service of the snapshot.
void append_target_info(Snapshot& snapshot, Profile profile);

}  // namespace waggle::metrics
