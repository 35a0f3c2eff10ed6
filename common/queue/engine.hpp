// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/queue/access.hpp"
#include "common/queue/settings.hpp"

namespace gk::queue {

// The queue at work: takes what is dropped into the spool, delivers it, tries again, sends DSNs.
//
// Order of durability: an outcome is on disk before its consequence (a DSN is in the spool before the failure
// counts as notified). Where nothing is left to do the removal of the file is the record. So a kill at any point loses
// nothing; it repeats a delivery only where it fell between the peer's reply and our record of it, at most one for each
// connection. A power cut repeats those, too, whose removal the directory's sync, some milliseconds later, did not
// cover.
class Engine final : public Access {
public:
    // Takes the spool's lock, reads what is there and starts to work. IS_LOCAL decides what goes to the local socket.
    static Result<std::unique_ptr<Engine>> start(const Settings& settings,
                                                 std::function<Result<bool>(std::string_view)> is_local);
    // Stops at once what has not begun, waits for what has, at most DRAIN_TIMEOUT.
    ~Engine() override;
    // What begins from now on follows SETTINGS; what is under way ends as it began. On an error nothing changes.
    Status reload(const Settings& settings, std::function<Result<bool>(std::string_view)> is_local);
    // Takes no new work; returns true once all sessions have ended, false after the settings' drain timeout.
    bool drain();

    Status list(const Filter& filter, const std::function<void(const Summary&)>& each) override;
    Result<Detail> show(const std::string& id) override;
    Result<Facts> explain(const std::string& id) override;
    Result<std::string> read(const std::string& id, std::uint64_t offset, std::size_t count) override;
    Status change(const Command& command, const std::string& id) override;
    Status schedule(const std::string& id, TimePoint until) override;
    Result<std::uint64_t> flush() override;
    Result<bool> take_report(const std::string& account, const message::DeliveryReport& report) override;
    Status bounces(const std::function<void(const Bounce&)>& each) override;
    Result<std::vector<Stat>> stats(By by) override;
    Result<Drained> drain(const std::optional<DrainChange>& change) override;

    // For tests: nothing is under way and nothing is due within SPAN.
    bool is_idle(std::chrono::milliseconds span = std::chrono::milliseconds(0));

private:
    struct Impl;
    explicit Engine(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace gk::queue
