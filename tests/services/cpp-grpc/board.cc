// SPDX-License-Identifier: Apache-2.0
// A gRPC service of raw bytes by gRPC's C++ library: "serve PORT"; "call PORT" waits for a line, makes a call, waits
// for another line, makes one call of each kind on the same connection, and waits for the last. With TLS where
// CERTIFICATE (and for a server KEY) names a file.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace {

using grpc::ByteBuffer;
using grpc::Status;
using grpc::StatusCode;
using std::chrono::milliseconds;

constexpr std::string_view kPrefix = "/depot.Board/";

ByteBuffer bytes(std::size_t size) {
    const grpc::Slice slice(std::string(size, '\0'));
    return ByteBuffer(&slice, 1);
}

// Of the file that the variable names; nothing where it names none.
std::string content(const char* variable) {
    const char* path = std::getenv(variable);
    if (path == nullptr) return {};
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<grpc::ServerCredentials> credentials_of_server() {
    const std::string certificate = content("CERTIFICATE");
    if (certificate.empty()) return grpc::InsecureServerCredentials();
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back({content("KEY"), certificate});
    return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> credentials_of_client() {
    const std::string authority = content("CERTIFICATE");
    if (authority.empty()) return grpc::InsecureChannelCredentials();
    return grpc::SslCredentials({.pem_root_certs = authority});
}

// One call: each message of a Chat is answered by itself, the one of a Watch three times, the last of a Collect; what
// is unary ends with its first.
class Call final : public grpc::ServerGenericBidiReactor {
  public:
    explicit Call(std::string method) : method_(std::move(method)) {
        if (method_ == "Echo" || method_ == "Slow" || method_ == "Chat" || method_ == "Watch" || method_ == "Collect")
            StartRead(&message_);
        else
            Finish(Status(method_ == "Missing"  ? StatusCode::NOT_FOUND
                          : method_ == "Broken" ? StatusCode::INTERNAL
                                                : StatusCode::UNIMPLEMENTED,
                          "no"));
    }

    void OnReadDone(bool is_there) override {
        if (!is_there && is_cancelled_) return Finish(Status::CANCELLED);
        if (!is_there && method_ == "Collect") return StartWriteAndFinish(&last_, {}, Status::OK);
        if (!is_there) return Finish(Status::OK);
        if (method_ == "Slow") {
            // Its client's deadline comes first.
            for (int i = 0; i < 200 && !is_cancelled_; ++i) std::this_thread::sleep_for(milliseconds(10));
        }
        if (is_cancelled_) return Finish(Status::CANCELLED);
        if (method_ == "Chat" || method_ == "Watch") {
            StartWrite(&message_);
        } else if (method_ == "Collect") {
            last_ = message_;
            StartRead(&message_);
        } else {
            StartWriteAndFinish(&message_, {}, Status::OK);
        }
    }
    void OnWriteDone(bool) override {
        if (method_ == "Chat") StartRead(&message_);
        if (method_ != "Watch") return;
        if (++written_ < 3)
            StartWrite(&message_);
        else
            Finish(Status::OK);
    }
    void OnCancel() override { is_cancelled_ = true; }
    void OnDone() override { delete this; }

  private:
    const std::string method_;
    std::atomic<bool> is_cancelled_ = false;
    ByteBuffer message_;
    ByteBuffer last_;
    int written_ = 0;
};

class Board final : public grpc::CallbackGenericService {
    grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
        const std::string& path = context->method();
        return new Call(path.starts_with(kPrefix) ? path.substr(kPrefix.size()) : std::string());
    }
};

void serve(const std::string& port) {
    Board board;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + port, credentials_of_server());
    builder.RegisterCallbackGenericService(&board);
    builder.BuildAndStart()->Wait();
}

class Client {
  public:
    explicit Client(const std::string& port)
        : channel_(grpc::CreateChannel("127.0.0.1:" + port, credentials_of_client())) {}

    bool call(std::string_view method, std::size_t size, milliseconds limit) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + limit);
        grpc::GenericStub stub(channel_);
        grpc::CompletionQueue queue;
        const auto call =
            stub.PrepareUnaryCall(&context, std::string(kPrefix) + std::string(method), bytes(size), &queue);
        call->StartCall();
        ByteBuffer answer;
        Status status;
        call->Finish(&answer, &status, nullptr);
        next(queue);
        return status.ok();
    }

    void chat(bool is_cancelled) {
        grpc::ClientContext context;
        grpc::GenericStub stub(channel_);
        grpc::CompletionQueue queue;
        const auto wait = [&] { next(queue); };
        const auto call = stub.PrepareCall(&context, std::string(kPrefix) + "Chat", &queue);
        call->StartCall(nullptr);
        wait();
        ByteBuffer answer;
        for (int i = 0; i < 3; ++i) {
            call->Write(bytes(5), nullptr);
            wait();
            call->Read(&answer, nullptr);
            wait();
        }
        if (is_cancelled) {
            context.TryCancel();
        } else {
            call->WritesDone(nullptr);
            wait();
        }
        Status status;
        call->Finish(&status, nullptr);
        wait();
    }

    // All messages, then all answers.
    void stream(std::string_view method, int messages, int answers) {
        grpc::ClientContext context;
        grpc::GenericStub stub(channel_);
        grpc::CompletionQueue queue;
        const auto wait = [&] { next(queue); };
        const auto call = stub.PrepareCall(&context, std::string(kPrefix) + std::string(method), &queue);
        call->StartCall(nullptr);
        wait();
        for (int i = 0; i < messages; ++i) {
            call->Write(bytes(5), nullptr);
            wait();
        }
        call->WritesDone(nullptr);
        wait();
        ByteBuffer answer;
        for (int i = 0; i < answers; ++i) {
            call->Read(&answer, nullptr);
            wait();
        }
        Status status;
        call->Finish(&status, nullptr);
        wait();
    }

  private:
    static void next(grpc::CompletionQueue& queue) {
        void* tag = nullptr;
        bool is_good = false;
        queue.Next(&tag, &is_good);
    }

    std::shared_ptr<grpc::Channel> channel_;
};

void call(const std::string& port) {
    constexpr milliseconds kLong(20'000);
    std::string line;
    std::cout << "ready" << std::endl;
    std::getline(std::cin, line);
    Client client(port);
    client.call("Echo", 12'000, kLong);
    std::cout << "begun" << std::endl;
    std::getline(std::cin, line);
    client.call("Echo", 5, kLong);
    for (const char* method : {"Missing", "Broken", "Unknown"}) client.call(method, 1, kLong);
    client.call("Slow", 1, milliseconds(300));
    client.chat(false);
    client.chat(true);
    client.stream("Watch", 1, 3);
    client.stream("Collect", 3, 1);
    client.call("Echo", 7, kLong);
    std::cout << "done" << std::endl;
    std::getline(std::cin, line);
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) return 2;
    const std::string_view what = arguments[1];
    if (what == "serve")
        serve(arguments[2]);
    else
        call(arguments[2]);
}
