// SPDX-License-Identifier: Apache-2.0
// Rows: network metrics, which Waggle does not have yet.
#include <array>

#include "config/options.h"

namespace waggle::config {
namespace {

constexpr std::array kRows{
    pending("network.enable", "BEYLA_NETWORK_METRICS", "boolean", "false", "network metrics", is_on),
    pending("network.source", "BEYLA_NETWORK_SOURCE", "word", "socket_filter", "or `tc`"),
    pending("network.agent_ip", "BEYLA_NETWORK_AGENT_IP", "address", "\"\"", "the agent's address"),
    pending("network.agent_ip_iface", "BEYLA_NETWORK_AGENT_IP_IFACE", "text", "external",
            "`external`, `local` or `name:<interface>`"),
    pending("network.agent_ip_type", "BEYLA_NETWORK_AGENT_IP_TYPE", "word", "any", "`any`, `ipv4` or `ipv6`"),
    pending("network.interfaces", "BEYLA_NETWORK_INTERFACES", "list", "[]", "names or `/regex/`; empty: all"),
    pending("network.exclude_interfaces", "BEYLA_NETWORK_EXCLUDE_INTERFACES", "list", "[lo]", "wins over `interfaces`"),
    pending("network.protocols", "BEYLA_NETWORK_PROTOCOLS", "list", "[]", "empty: all"),
    pending("network.exclude_protocols", "BEYLA_NETWORK_EXCLUDE_PROTOCOLS", "list", "[]", "when `protocols` is empty"),
    pending("network.cache_max_flows", "BEYLA_NETWORK_CACHE_MAX_FLOWS", "integer", "5000", "flows kept"),
    pending("network.cache_active_timeout", "BEYLA_NETWORK_CACHE_ACTIVE_TIMEOUT", "duration", "5s", "how long"),
    pending("network.deduper", "BEYLA_NETWORK_DEDUPER", "word", "first_come", "or `none`"),
    pending("network.deduper_fc_ttl", "BEYLA_NETWORK_DEDUPER_FC_TTL", "duration", "0s",
            "0: twice `cache_active_timeout`"),
    pending("network.direction", "BEYLA_NETWORK_DIRECTION", "word", "both", "`both`, `ingress` or `egress`"),
    pending("network.sampling", "BEYLA_NETWORK_SAMPLING", "integer", "0", "one of this many packets"),
    pending("network.listen_interfaces", "BEYLA_NETWORK_LISTEN_INTERFACES", "word", "watch", "or `poll`"),
    pending("network.listen_poll_period", "BEYLA_NETWORK_LISTEN_POLL_PERIOD", "duration", "10s", "with `poll`"),
    pending("network.reverse_dns.type", "BEYLA_NETWORK_REVERSE_DNS_TYPE", "word", "none", "or `local`"),
    pending("network.reverse_dns.cache_len", "BEYLA_NETWORK_REVERSE_DNS_CACHE_LEN", "integer", "256", "cached names"),
    pending("network.reverse_dns.cache_expiry", "BEYLA_NETWORK_REVERSE_DNS_CACHE_TTL", "duration", "1h",
            "how long they count"),
    pending("network.print_flows", "BEYLA_NETWORK_PRINT_FLOWS", "boolean", "false", "print flows", is_on),
    pending("network.cidrs", "BEYLA_NETWORK_CIDRS", "list", "[]", "name flows by these networks"),
};

}  // namespace

std::span<const Option> network_options() { return kRows; }

}  // namespace waggle::config
