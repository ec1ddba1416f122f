"""Any registered Gymnasium environment, stepped in lock-step at Gymnasium's own speed."""
