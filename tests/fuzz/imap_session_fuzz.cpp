// SPDX-License-Identifier: MIT
// links: imap
#include <unistd.h>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/imap/session.hpp"

// Sessions of hostile clients over a real store, which is made anew now and then.
namespace {

namespace fs = std::filesystem;

class Home {
public:
    Home()
        : path_((fs::is_directory("/dev/shm") ? "/dev/shm/gk-fuzz-" : "/tmp/gk-fuzz-") + std::to_string(::getpid())) {}
    ~Home() { clear(); }

    std::shared_ptr<gk::store::Account> account() {
        if (uses_++ % 200 == 0) {
            clear();
            gk::store::AccountOptions options;
            options.create = true;
            auto account = gk::store::Account::open(path_, options);
            if (!account) std::abort();
            account_ = *account;
        }
        return account_;
    }

private:
    void clear() {
        account_.reset();
        std::error_code error;
        fs::remove_all(path_, error);
    }
    std::string path_;
    std::shared_ptr<gk::store::Account> account_;
    unsigned uses_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Home home;
    gk::imap::SessionOptions options;
    options.max_message = 32 * 1024;
    gk::imap::Session session(home.account(), options);
    session.feed({reinterpret_cast<const char*>(data), size});
    std::size_t said = 0;
    do {
        session.run();
        while (!session.output().empty() && said < (8u << 20)) {
            const auto bytes = session.output().front();
            if (bytes.empty()) break;
            said += bytes.size();
            session.output().consume(bytes.size());
        }
        // A client that asks for everything again and again is stopped by its own patience.
    } while (session.has_work() && said < (8u << 20));
    return 0;
}
