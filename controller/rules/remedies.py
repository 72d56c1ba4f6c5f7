"""What to do about each fault of a gate, for those who are told of it. docs/operating.md says more."""

from __future__ import annotations

from typing import Final

from device.wire.messages import Text

ANY: Final = Text("请查看该入口的故障详情", "look at the entrance's page: it says what the gate says of it")
REMEDIES: Final[dict[str, Text]] = {
    "camera_lost": Text(
        "请人工验码，并检查摄像头的线缆与供电", "let the guard check codes; see the camera's cable and power"
    ),
    "camera_black": Text(
        "请人工验码，移开镜头遮挡，并打开入口照明", "let the guard check codes; uncover the lens and light the entrance"
    ),
    "camera_frozen": Text("请人工验码，并重启门机电源", "let the guard check codes; switch the gate off and on"),
    "thermometer_lost": Text("请人工测温，并检查测温仪的四根线", "measure by hand; see the thermometer's four wires"),
    "thermometer_frozen": Text("请人工测温，并重启门机电源", "measure by hand; switch the gate off and on"),
    "thermometer_drift": Text(
        "请人工复测，清洁测温窗口并检查其朝向", "measure again by hand; clean its window and see where it points"
    ),
    "button_stuck": Text("请检查值守按钮及其线缆", "see the staff button and its cable"),
    "memory_failed": Text(
        "请人工核对，并检查磁盘空间与存储卡", "let the guard decide; see whether its disk is full or worn"
    ),
    "memory_broken": Text("请更换存储卡", "replace its SD card"),
    "occupancy_stale": Text("请检查入口网络；场内人数以人工为准", "see the network there; count by hand meanwhile"),
    "spool_failed": Text("请清理磁盘或更换存储卡", "make room on its disk, or replace its SD card"),
    "spool_broken": Text(
        "请取走 .broken- 文件留存，并更换存储卡", "copy the .broken- files away, and replace its SD card"
    ),
    "clock_jumped": Text("请查明是谁改了时钟，并恢复 NTP", "find out who set the clock, and connect it to NTP"),
    "clock_behind": Text("请核对哪一个时间有误", "find out which of the two times is wrong"),
    "upstream_lost": Text(
        "请人工验码，并检查到上游验码服务的网络", "let the guard check codes; see the network to the verifier"
    ),
    "guardian_lost": Text(
        "请人工放行；若未自行恢复，请查看门机日志", "let people in by hand; if it does not clear, read the gate's log"
    ),
    "screen_lost": Text("放行不受影响；请检查访客屏", "the gate goes on without it; see the visitor's display"),
    "policy_refused": Text("请按详情改正策略后重新下发", "read why, and set right what was offered"),
    "certificate_ends": Text(
        "请检查控制端的领证服务（TCP 8470）是否可达", "see whether the gate reaches the controller at TCP port 8470"
    ),
}
