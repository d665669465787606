// SPDX-License-Identifier: Apache-2.0
// Requests of a client that does not wait for answers, when some of them were not seen.
#include <gtest/gtest.h>

#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

class InOrder : public TrackerTest {};

// Turns begin where answers came, which may be in the middle of a body: nothing there is taken for a request.
TEST_F(InOrder, WhoAsksSeveralAtOnceIsPassedOverAfterALoss) {
    for (const wg_role role : {WG_ROLE_CLIENT, WG_ROLE_SERVER}) {
        SCOPED_TRACE(role);
        Socket& socket = open({.id = role == WG_ROLE_CLIENT ? 1u : 2u, .role = role});
        call(socket, true, std::string(kGet) + std::string(kGet));
        call(socket, false, kOk);
        call(socket, true, "POST /c HTTP/1.1\r\nHost: a");
        Move lost = moved(socket, true, "bcdefghijklmnop\r\nContent-Length: 32\r\n\r\n0123456789");
        lost.is_lost = true;
        host_.report(socket, lost);
        call(socket, false, kOk);
        call(socket, true, "T /wrong HTTP/1.1\r\n\r\n");
        for (int i = 0; i < 2; ++i) call(socket, false, kOk);
        pass(kSecond);
        for (const spans::Span& one : host_.batch()) EXPECT_NE(one.attributes.text(attr::url_path), "/wrong");
        host_.batch().clear();
    }
}

}  // namespace
}  // namespace waggle::protocols::testing
