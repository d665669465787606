// SPDX-License-Identifier: Apache-2.0
// Where a signal goes by OTLP: Beyla's and OpenTelemetry's rules on endpoints, protocols, headers
// and Grafana's variables, from what was written (Draft) to one OtlpConfig per signal.
#pragma once

#include "config/diagnostics.h"
#include "config/draft.h"

namespace waggle::config {

// Both signals. Writes the outcome to draft.config and, for printing, back to the draft's own rows.
void resolve_otlp(Draft& draft, Problems& problems);

}  // namespace waggle::config
