// SPDX-License-Identifier: Apache-2.0
// The last steps of loading: what follows from several settings together (resolve), what cannot be
// (validate), and Beyla's legacy selector.
#pragma once

#include "config/diagnostics.h"
#include "config/draft.h"

namespace waggle::config {

// Before any source: what Config's own defaults cannot say.
void set_defaults(Draft& draft);

// After all sources. Beyla's sources imply its profile unless another is set.
void resolve(Draft& draft, bool is_beyla_configuration, Problems& problems);

void validate(const Draft& draft, Problems& problems);

// executable_name, open_port and service_name as the last selector of discovery.services.
void append_legacy_selector(Config& config);

}  // namespace waggle::config
