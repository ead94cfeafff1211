import streamlit as st

st.title("feedback")
