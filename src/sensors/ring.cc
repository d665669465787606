// SPDX-License-Identifier: Apache-2.0
#include "sensors/ring.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <sys/epoll.h>

#include <bit>
#include <cerrno>

namespace waggle::sensors {

Result<Fd> create_ring(std::uint32_t bytes) {
    const std::uint32_t size = std::bit_ceil(std::max<std::uint32_t>(bytes, 4096));
    const int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "wg_ring", 0, 0, size, nullptr);
    if (fd < 0) return fail_errno("creating a ring buffer", -fd);
    return Fd(fd);
}

Result<std::unique_ptr<RingReader>> RingReader::open(int ring_fd, Woken woken, Callback callback) {
    std::unique_ptr<RingReader> reader(new RingReader);
    reader->callback_ = std::move(callback);
    reader->ring_ = ring_buffer__new(ring_fd, on_record, reader.get(), nullptr);
    if (!reader->ring_) return fail_errno("mapping a ring buffer");
    if (woken == Woken::ByRecords) return reader;
    // libbpf's epoll is level-triggered: after one wake-up it is ready as long as anything is unread.
    reader->asked_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
    if (reader->asked_.get() < 0 || ::epoll_ctl(reader->asked_.get(), EPOLL_CTL_ADD, ring_fd, &event) != 0)
        return fail_errno("watching a ring buffer");
    return reader;
}

RingReader::~RingReader() { ring_buffer__free(ring_); }

int RingReader::on_record(void* self, void* data, size_t size) {
    auto& reader = *static_cast<RingReader*>(self);
    reader.callback_({static_cast<const std::byte*>(data), size});
    // A negative answer ends the call; the record is taken all the same.
    return ++reader.taken_ < kMost ? 0 : -EAGAIN;
}

int RingReader::consume() {
    taken_ = 0;
    ring_buffer__consume(ring_);
    return taken_;
}

void RingReader::wait(std::chrono::milliseconds wait) {
    if (taken_ == kMost) return;
    if (asked_.get() >= 0) {
        epoll_event event{};
        ::epoll_wait(asked_.get(), &event, 1, static_cast<int>(wait.count()));
        return;
    }
    pollfd poll_fd{.fd = ring_buffer__epoll_fd(ring_), .events = POLLIN, .revents = 0};
    ::poll(&poll_fd, 1, static_cast<int>(wait.count()));
}

}  // namespace waggle::sensors
