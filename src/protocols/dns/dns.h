// SPDX-License-Identifier: Apache-2.0
// DNS over UDP and TCP (RFC 1035 §4.2, RFC 7766), and over TLS where its plaintext is read. Answers are never told, but
// how they went.
#pragma once

#include "protocols/datagrams.h"

namespace waggle::protocols::dns {

extern const Protocol kDns;
extern const DatagramProtocol kDnsDatagrams;

}  // namespace waggle::protocols::dns
