// SPDX-License-Identifier: Apache-2.0
// Ends of bodies of which some was not seen.
#include <gtest/gtest.h>

#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

class Http1Body : public TrackerTest {};

// The next request was sent before, so that its answer may begin anywhere.
TEST_F(Http1Body, AnEmptyLineThatIsLostInItsMiddleEndsNothing) {
    for (const std::string_view rest : {"\r\n0\r\n\r", "\r\n0\r", "\r\n0"}) {
        SCOPED_TRACE(rest.size());
        Socket& client = open({.id = rest.size(), .role = WG_ROLE_CLIENT});
        for (int i = 0; i < 2; ++i) call(client, true, kGet);
        for (int i = 0; i < 2; ++i) call(client, false, kOk);
        host_.batch().clear();
        call(client, true, kGet);
        call(client, true, kGet.substr(0, kGet.size() - 1));
        call(client, false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi" + std::string(rest));
        Move lost = moved(client, false, std::string_view("\r\n0\r\n\r\n").substr(rest.size()));
        lost.is_lost = true;
        host_.report(client, lost);
        const Move last = moved(client, true, kGet.substr(kGet.size() - 1));
        call(client, false, kOk);
        host_.report(client, last);
        pass(kSecond);
        ASSERT_GT(spans(), 0u);
        EXPECT_EQ(span().incomplete, spans::Incomplete::Hole);
        host_.batch().clear();
    }
}

}  // namespace
}  // namespace waggle::protocols::testing
