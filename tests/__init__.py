"""What must hold: test_rooms.py is read first, test_path.py second, then one file a module."""
