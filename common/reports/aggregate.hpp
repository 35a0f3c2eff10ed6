// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/reports/model.hpp"

// Observations of one day, added up to reports: one for each policy domain. Memory is bounded by the number of rows
// that differ, of which ROWS are kept at most; what comes later is only counted.
namespace gk::reports {

class DmarcDay {
public:
    explicit DmarcDay(std::size_t rows) : room_(rows) {}
    void add(DmarcObservation observation);

    struct Group {
        AggregateHead policy;  // the last one seen (RFC 9990, 3.4); domain and what was published
        std::string organizational_domain;
        std::vector<std::string> rua;
        std::vector<AggregateRecord> records;
        std::uint64_t messages = 0;
        std::uint64_t left_out = 0;  // messages for which there was no room
    };
    // By policy domain, of those that ask for reports and had other mail than reports.
    std::map<std::string, Group> take();

private:
    struct Building {
        Group group;
        TimePoint latest{};
        bool only_reports = true;
        std::map<std::string, std::size_t> rows;  // to group.records
    };
    std::size_t room_;
    std::map<std::string, Building> groups_;
};

class TlsDay {
public:
    explicit TlsDay(std::size_t rows) : room_(rows) {}
    void add(TlsObservation observation);

    struct Group {
        std::vector<TlsPolicy> policies;
        std::vector<std::string> rua;  // as observed last
        std::uint64_t sessions = 0, left_out = 0;
    };
    std::map<std::string, Group> take();

private:
    struct Building {
        Group group;
        TimePoint latest{};
        bool only_reports = true;
        std::map<std::string, std::size_t> policies;                          // to group.policies
        std::map<std::string, std::pair<std::size_t, std::size_t>> failures;  // to a policy and its details
    };
    std::size_t room_;
    std::map<std::string, Building> groups_;
};

}  // namespace gk::reports
