// SPDX-License-Identifier: Apache-2.0
// calls: what system calls cost, one after the other in one thread. calls SECONDS: each kind for so long; a line a
// kind: its name, a tab, nanoseconds per call (the median of many short runs: others that run meanwhile hardly move
// it).
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRun = 200;  // calls between two looks at the clock
char bytes[64];

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

template <typename Call>
void measure(const char* name, double seconds, Call call) {
    std::vector<double> runs;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (auto begin = Clock::now(); begin < end;) {
        for (int i = 0; i < kRun; ++i) call();
        const auto now = Clock::now();
        runs.push_back(std::chrono::duration<double, std::nano>(now - begin).count() / kRun);
        begin = now;
    }
    std::nth_element(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2), runs.end());
    std::printf("%s\t%.1f\n", name, runs[runs.size() / 2]);
    std::fflush(stdout);
}

void must(ssize_t moved, const char* what) {
    if (moved != static_cast<ssize_t>(sizeof(bytes))) fail(what);
}

struct Pair {
    int one = -1;
    int other = -1;
};

Pair unix_pair() {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, both) != 0) fail("socketpair");
    return {both[0], both[1]};
}

Pair tcp_pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener, plain, length) != 0 || ::listen(listener, 1) != 0 ||
        ::getsockname(listener, plain, &length) != 0)
        fail("listen");
    Pair pair;
    pair.one = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(pair.one, plain, length) != 0) fail("connect");
    pair.other = ::accept(listener, nullptr, nullptr);
    const int on = 1;
    ::setsockopt(pair.one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::close(listener);
    return pair;
}

void send_and_receive(const Pair& pair) {
    must(::send(pair.one, bytes, sizeof(bytes), 0), "send");
    must(::recv(pair.other, bytes, sizeof(bytes), MSG_WAITALL), "recv");
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) return 2;
    const double seconds = std::atof(arguments[1]);
    const int zero = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (zero < 0) fail("/dev/zero");
    measure("getppid", seconds, [] { ::syscall(SYS_getppid); });
    measure("read of /dev/zero", seconds, [zero] { must(::read(zero, bytes, sizeof(bytes)), "read"); });
    const Pair local = unix_pair();
    measure("send and recv, socket pair", seconds, [local] { send_and_receive(local); });
    const Pair tcp = tcp_pair();
    measure("send and recv, loopback TCP", seconds, [tcp] { send_and_receive(tcp); });
    measure("connect, accept and close", seconds, [] {
        const Pair pair = tcp_pair();
        // No TIME_WAIT: ports are few.
        const linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(pair.one, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        ::close(pair.one);
        ::close(pair.other);
    });
    return 0;
}
