"""The proving ground: power cuts, full disks, torn lines and kills, made on purpose and told apart by a seed."""
