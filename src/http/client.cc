// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <curl/curl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <utility>

namespace waggle::http {
namespace {

struct EasyDeleter {
    void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
struct MultiDeleter {
    void operator()(CURLM* multi) const { ::curl_multi_cleanup(multi); }
};
struct ListDeleter {
    void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};

bool global_init() {
    static const bool is_ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return is_ready;
}

// What the callbacks fill.
struct Call {
    ClientResponse response;
    std::size_t max_bytes = 0;
    bool has_headers = false;  // the blank line came: what follows are trailers
    bool is_too_large = false;
};

constexpr std::size_t kMaxHeaderFields = 200;

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
    Call& call = *static_cast<Call*>(user);
    const std::string_view line = trim(std::string_view(data, size));
    if (line.starts_with("HTTP/")) {  // also after an interim response
        call.response.headers.clear();
        call.has_headers = false;
    } else if (line.empty()) {
        call.has_headers = true;
    } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
        Headers& to = call.has_headers ? call.response.trailers : call.response.headers;
        if (to.size() < kMaxHeaderFields) to.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
    }
    return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
    Call& call = *static_cast<Call*>(user);
    if (call.response.body.size() + size > call.max_bytes) {
        call.is_too_large = true;
        return 0;  // ends the transfer
    }
    call.response.body.append(data, size);
    return size;
}

int on_socket(void* user, curl_socket_t socket, curlsocktype) {
    *static_cast<curl_socket_t*>(user) = socket;
    return CURL_SOCKOPT_OK;
}

int on_close(void* user, curl_socket_t socket) {
    auto& open = *static_cast<curl_socket_t*>(user);
    if (open == socket) open = CURL_SOCKET_BAD;
    return ::close(socket);
}

long curl_version(Version version) {
    switch (version) {
        case Version::Http2:
            return CURL_HTTP_VERSION_2TLS;
        case Version::Http2PriorKnowledge:
            return CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
        case Version::Http1:
            break;
    }
    return CURL_HTTP_VERSION_1_1;
}

}  // namespace

struct Client::State {
    Result<void> perform();
    bool moves(curl_off_t& before) const;
    void await_answer() const;
    void apply(const ClientRequest& request, Call& call, curl_slist* headers);

    ClientOptions options;
    curl_socket_t socket = CURL_SOCKET_BAD;  // the connection's, which goes with `multi`; bad while there is none
    std::unique_ptr<CURL, EasyDeleter> easy;
    std::unique_ptr<CURLM, MultiDeleter> multi;
    std::atomic<bool> is_cancelled{false};
};

void Client::State::apply(const ClientRequest& request, Call& call, curl_slist* headers) {
    CURL* to = easy.get();
    ::curl_easy_reset(to);  // connections stay: they belong to the multi handle
    const auto set_file = [&](CURLoption option, const std::string& file) {
        if (!file.empty()) ::curl_easy_setopt(to, option, file.c_str());
    };
    ::curl_easy_setopt(to, CURLOPT_URL, request.url.c_str());
    ::curl_easy_setopt(to, CURLOPT_PROTOCOLS_STR, "http,https");
    ::curl_easy_setopt(to, CURLOPT_FOLLOWLOCATION, 0L);
    ::curl_easy_setopt(to, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(to, CURLOPT_HTTP_VERSION, curl_version(options.version));
    // Reusing a plaintext HTTP/2 connection is broken in 7.88 (curl issue 10634).
    ::curl_easy_setopt(to, CURLOPT_FORBID_REUSE, options.version == Version::Http2PriorKnowledge ? 1L : 0L);
    ::curl_easy_setopt(to, CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
    ::curl_easy_setopt(to, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.timeout.count()));
    ::curl_easy_setopt(to, CURLOPT_SSL_VERIFYPEER, options.insecure_skip_verify ? 0L : 1L);
    ::curl_easy_setopt(to, CURLOPT_SSL_VERIFYHOST, options.insecure_skip_verify ? 0L : 2L);
    set_file(CURLOPT_CAINFO, options.ca_file);
    set_file(CURLOPT_SSLCERT, options.certificate_file);
    set_file(CURLOPT_SSLKEY, options.key_file);
    if (!options.user_agent.empty()) ::curl_easy_setopt(to, CURLOPT_USERAGENT, options.user_agent.c_str());
    ::curl_easy_setopt(to, CURLOPT_HTTPHEADER, headers);
    if (request.method != "GET") {
        ::curl_easy_setopt(to, CURLOPT_POST, 1L);
        ::curl_easy_setopt(to, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        ::curl_easy_setopt(to, CURLOPT_POSTFIELDS, request.body.data() ? request.body.data() : "");
        ::curl_easy_setopt(to, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    ::curl_easy_setopt(to, CURLOPT_SOCKOPTFUNCTION, on_socket);
    ::curl_easy_setopt(to, CURLOPT_SOCKOPTDATA, &socket);
    ::curl_easy_setopt(to, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    ::curl_easy_setopt(to, CURLOPT_CLOSESOCKETDATA, &socket);
    ::curl_easy_setopt(to, CURLOPT_HEADERFUNCTION, on_header);
    ::curl_easy_setopt(to, CURLOPT_HEADERDATA, &call);
    ::curl_easy_setopt(to, CURLOPT_WRITEFUNCTION, on_body);
    ::curl_easy_setopt(to, CURLOPT_WRITEDATA, &call);
}

// Whether bytes of the bodies have gone by since `before`.
bool Client::State::moves(curl_off_t& before) const {
    curl_off_t sent = 0;
    curl_off_t received = 0;
    ::curl_easy_getinfo(easy.get(), CURLINFO_SIZE_UPLOAD_T, &sent);
    ::curl_easy_getinfo(easy.get(), CURLINFO_SIZE_DOWNLOAD_T, &received);
    return std::exchange(before, sent + received) != sent + received;
}

// Until something can be read, but not for long: with TLS the answer may have been read already.
void Client::State::await_answer() const {
    constexpr int kMilliseconds = 2;
    if (socket == CURL_SOCKET_BAD) return;
    pollfd waited = {.fd = socket, .events = POLLIN, .revents = 0};
    ::poll(&waited, 1, kMilliseconds);
}

// The multi interface only because it can be woken: cancel() must not wait for a timeout.
Result<void> Client::State::perform() {
    ::curl_multi_add_handle(multi.get(), easy.get());
    CURLcode code = CURLE_OK;
    int running = 1;
    curl_off_t moved = 0;
    while (running > 0 && !is_cancelled) {
        if (::curl_multi_perform(multi.get(), &running) != CURLM_OK) {
            code = CURLE_FAILED_INIT;
            break;
        }
        if (running == 0) break;
        // A full HTTP/2 window: curl 7.88 asks whether the socket takes more, which it does, and would spin.
        if (!moves(moved) && options.version != Version::Http1) await_answer();
        ::curl_multi_poll(multi.get(), nullptr, 0, 1000, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = ::curl_multi_info_read(multi.get(), &left))
        if (message->msg == CURLMSG_DONE) code = message->data.result;
    ::curl_multi_remove_handle(multi.get(), easy.get());
    if (is_cancelled) return fail("cancelled", ECANCELED);
    if (code != CURLE_OK) return fail(::curl_easy_strerror(code), code == CURLE_URL_MALFORMAT ? EINVAL : EIO);
    return ok();
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::create(ClientOptions options) {
    if (!global_init()) return fail("libcurl does not start");
    auto state = std::make_unique<State>();
    state->options = std::move(options);
    state->easy.reset(::curl_easy_init());
    state->multi.reset(::curl_multi_init());
    if (!state->easy || !state->multi) return fail("libcurl gives no handle");
    return Client(std::move(state));
}

Result<ClientResponse> Client::send(const ClientRequest& request) {
    Call call{.max_bytes = state_->options.max_response_bytes};
    std::unique_ptr<curl_slist, ListDeleter> headers(::curl_slist_append(nullptr, "Expect:"));
    for (const auto& [name, value] : request.headers) {
        if ((name + value).find_first_of("\r\n") != std::string::npos)
            return fail("header " + name + " has a line break", EINVAL);
        headers.reset(::curl_slist_append(headers.release(), (name + ": " + value).c_str()));
    }
    state_->apply(request, call, headers.get());
    auto done = state_->perform();
    if (call.is_too_large) return fail("response is too large");
    if (!done) return std::unexpected(std::move(done.error()));
    long status = 0;
    ::curl_easy_getinfo(state_->easy.get(), CURLINFO_RESPONSE_CODE, &status);
    call.response.status = static_cast<int>(status);
    return std::move(call.response);
}

void Client::cancel() {
    state_->is_cancelled = true;
    ::curl_multi_wakeup(state_->multi.get());
}

}  // namespace waggle::http
